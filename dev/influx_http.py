"""Buckets, organisations and writes over plain HTTP, for data that does not come through the product."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

BATCH_LINES = 20_000
WRITERS = 2
PAGE_BUCKETS = 100


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """Where an InfluxDB is, and the few requests that need no client.

    :param url: such as ``http://127.0.0.1:8086``
    """

    url: str
    org: str
    token: str = field(repr=False)

    def connection(self) -> str:
        """The Airflow connection as JSON, for ``AIRFLOW_CONN_...``."""
        connection = {
            "conn_type": "influx_rollup",
            "host": self.url,
            "password": self.token,
            "extra": {"org": self.org},
        }
        return json.dumps(connection)

    def request(self, method: str, path: str, body: bytes | None = None, **query: str) -> Any:
        """Send a request; the JSON answer, None without one.

        :raises urllib.error.HTTPError: for an answer of 400 and above
        """
        url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def new_organisation(self, name: str) -> InfluxAddress:
        """Make an organisation, which has bucket names of its own (needs an operator token)."""
        self.request("POST", "/api/v2/orgs", json.dumps({"name": name}).encode())
        return replace(self, org=name)

    def new_token(self, rights: Iterable[tuple[str, str]]) -> str:
        """Make a token of the organisation.

        :param rights: pairs such as ``("read", "tasks")``
        """
        return self.new_authorization(rights)[1]

    def new_authorization(self, rights: Iterable[tuple[str, str]]) -> tuple[str, str]:
        """The same, with the identity that it is deleted by; InfluxDB 2.9 finds none by its token.

        :return: identity and token
        """
        organisation = self.request("GET", "/api/v2/orgs", org=self.org)["orgs"][0]["id"]
        permissions = [
            {"action": action, "resource": {"type": kind, "orgID": organisation}} for action, kind in rights
        ]
        body = json.dumps({"orgID": organisation, "permissions": permissions}).encode()
        made = self.request("POST", "/api/v2/authorizations", body)
        return str(made["id"]), str(made["token"])

    def fresh_buckets(self, *names: str) -> None:
        """Make buckets that are empty and keep forever; what they held is gone."""
        organisation = self.request("GET", "/api/v2/orgs", org=self.org)["orgs"][0]["id"]
        for name in names:
            self.delete_bucket(name)
            body = {"orgID": organisation, "name": name, "retentionRules": []}
            self.request("POST", "/api/v2/buckets", json.dumps(body).encode())

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket when it exists."""
        identity = self.buckets().get(name)
        if identity is not None:
            self.request("DELETE", f"/api/v2/buckets/{identity}")

    def buckets(self) -> dict[str, str]:
        """The identity of each bucket that people made, by name."""
        found: dict[str, str] = {}
        offset = 0
        while True:
            page = self.request(
                "GET", "/api/v2/buckets", org=self.org, limit=str(PAGE_BUCKETS), offset=str(offset)
            )["buckets"]
            found |= {bucket["name"]: bucket["id"] for bucket in page if bucket["type"] == "user"}
            if len(page) < PAGE_BUCKETS:
                return found
            offset += PAGE_BUCKETS

    @contextmanager
    def buckets_made_meanwhile_deleted(self) -> Iterator[None]:
        """Delete at the end what was made inside: an open shard group costs the server a dozen open files."""
        before = self.buckets()
        yield
        for name, identity in self.buckets().items():
            if before.get(name) != identity:
                self.request("DELETE", f"/api/v2/buckets/{identity}")

    @contextmanager
    def tasks_deleted(self) -> Iterator[None]:
        """Delete all tasks at the end: the server takes a core for itself until one that is left is due."""
        try:
            yield
        finally:
            for task in self.request("GET", "/api/v2/tasks", org=self.org)["tasks"]:
                self.request("DELETE", f"/api/v2/tasks/{task['id']}")

    def write(self, bucket: str, lines: Iterable[str]) -> Iterator[int]:
        """Write line protocol with nanosecond times, batch after batch.

        :return: how many lines were written, after each batch
        """
        rest, written = iter(lines), 0
        running: dict[Future[Any], int] = {}
        with ThreadPoolExecutor(WRITERS) as pool:
            while batch := list(islice(rest, BATCH_LINES)):
                body = "\n".join(batch).encode()
                sent = pool.submit(
                    self.request, "POST", "/api/v2/write", body, org=self.org, bucket=bucket, precision="ns"
                )
                running[sent] = len(batch)
                # late packets must not overtake what they correct, so few batches are on their way at once
                written += self._finished(running, most=WRITERS - 1)
                yield written
            written += self._finished(running, most=0)
            yield written

    @staticmethod
    def _finished(running: dict[Future[Any], int], most: int) -> int:
        """Wait until at most so many batches are on their way; how many lines the others had."""
        written = 0
        while len(running) > most:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                written += running.pop(future)
        return written
