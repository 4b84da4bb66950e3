"""InfluxDB's own notification rules find the deadman's statuses: one message when a series dies, one when it is back.

The rules are made by the server; their Flux is run here for each hour as its task would, and posts to this process.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer

pytestmark = pytest.mark.live

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Inbox(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    messages: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.messages.append(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Where messages go, and those that came."""
    handler = type("OneInbox", (Inbox,), {"messages": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.messages
    server.shutdown()
    server.server_close()


@pytest.fixture
def make_rule(influx: InfluxServer, inbox: tuple[str, list[dict[str, Any]]]) -> Callable[..., str]:
    """Makes a notification rule of the server, for a check and a change of level; its Flux."""
    server = InfluxAddress(influx.url, influx.org, influx.token)
    organisation = server.request("GET", "/api/v2/orgs", org=influx.org)["orgs"][0]["id"]
    common = {"type": "http", "orgID": organisation, "status": "inactive"}

    def post(kind: str, **values: Any) -> Any:
        body = {**common, "name": uuid.uuid4().hex, **values}
        return server.request("POST", f"/api/v2/{kind}", json.dumps(body).encode())

    endpoint = post("notificationEndpoints", url=inbox[0], method="POST", authMethod="none")

    def make(check_name: str, **levels: str) -> str:
        rule = post(
            "notificationRules",
            endpointID=endpoint["id"],
            every="1h",
            statusRules=[levels],
            tagRules=[{"key": "_check_name", "value": check_name, "operator": "equal"}],
        )
        return str(server.request("GET", f"/api/v2/notificationRules/{rule['id']}/query")["flux"])

    return make


def test_rules_of_influxdb_tell_each_death_and_each_recovery_once(
    client: InfluxClient,
    bucket_factory: Callable[[], str],
    make_rule: Callable[..., str],
    inbox: tuple[str, list[dict[str, Any]]],
) -> None:
    spec = DeadmanSpec(bucket=bucket_factory(), measurement="fleet", group_by=("device",))
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 6 * HOUR
    # d1 reports in hours 0, 1, 4, 5; d2 always
    for device, hours in (("d1", (0, 1, 4, 5)), ("d2", range(6))):
        at = [int((first + hour * HOUR + 5 * MINUTE).timestamp()) * 10**9 for hour in hours]
        client.write_lines(spec.bucket, [f"fleet,device={device} temp=1 {ns}" for ns in at])
    rules = {
        "died": make_rule(spec.check.name, currentLevel="CRIT", previousLevel="OK"),
        "recovered": make_rule(spec.check.name, currentLevel="OK", previousLevel="CRIT"),
    }
    told: dict[tuple[str, int], list[str]] = {}
    for hour in range(6):
        stop = first + (hour + 1) * HOUR
        drive(check_deadman(spec, Interval(stop - HOUR, stop)), client, lambda _report: None).as_json()
        for name, flux in rules.items():
            inbox[1].clear()
            # a rule sees the statuses before its own time: those of this stop an hour later
            client.query(flux, now=stop + HOUR)
            if inbox[1]:
                told[name, hour] = [message["_message"] for message in inbox[1]]
    assert list(told) == [("died", 2), ("recovered", 4)]
    assert [text.split(":")[0] for text in told["died", 2]] == ["device=d1 stopped"]
    assert [text.split(":")[0] for text in told["recovered", 4]] == ["device=d1 came back"]
