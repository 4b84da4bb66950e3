"""Requests that only InfluxQL can answer, over the 1.x-compatible API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.databases import database_of
from airflow_provider_influx_rollup.client.requests import Request
from airflow_provider_influx_rollup.client.responses import error_of_text
from airflow_provider_influx_rollup.exceptions import InfluxRejected

Ask = Callable[[Request], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class InfluxQL:
    """Statements about the buckets of one organisation.

    :param org: its name
    :param ask: sends a request and returns its JSON
    """

    org: str
    ask: Ask

    def field_types(self, bucket: str, measurement: str) -> dict[str, tuple[str, ...]]:
        """Every type that each field ever had; none where InfluxQL would answer for another bucket."""
        if len(self._orgs()) > 1:
            return {}  # it always asks the token's own organisation, which may be another one
        database = self._database(bucket)
        if database is None:
            return {}
        answer = self._answer(requests.field_types_request(database, measurement))
        types: dict[str, list[str]] = {}
        for series in answer["results"][0].get("series", []):
            for name, kind in series["values"]:
                types.setdefault(name, []).append(kind)
        return {name: tuple(kinds) for name, kinds in types.items()}

    def delete(self, bucket: str, statement: str) -> None:
        """Run a DELETE statement.

        :raises InfluxRejected: when InfluxQL does not know the bucket
        """
        database = self._database(bucket)
        if database is None or not self._is_ours(database):
            what = (
                f"points of bucket {bucket!r} have a tag value with a carriage return, which only InfluxQL can delete, "
                "and it does not reach the bucket"
            )
            fix = (
                'make a DBRP mapping of the bucket with "default": true, and use a token of its organisation'
            )
            raise InfluxRejected(what, written="nothing", fix=fix)
        self._answer(requests.influxql_request(database, statement, f"deleting from bucket {bucket!r}"))

    def _database(self, bucket: str) -> str | None:
        buckets = self.ask(requests.find_bucket_request(self.org, bucket))["buckets"]
        bucket_id = next((str(item["id"]) for item in buckets if item["name"] == bucket), "")
        return database_of(bucket_id, self._mappings(self.org))

    def _is_ours(self, database: str) -> bool:
        """Whether the token's own organisation, whose databases are shown, can be no other than this one."""
        others = [name for name in self._orgs() if name != self.org]
        if any(one["database"] == database for name in others for one in self._mappings(name)):
            return False
        shown = self._answer(requests.influxql_request(None, "SHOW DATABASES", "listing the databases"))
        rows = [row for series in shown["results"][0].get("series", []) for row in series["values"]]
        return [database] in rows

    def _orgs(self) -> list[str]:
        return [str(org["name"]) for org in self.ask(requests.list_orgs_request())["orgs"]]

    def _mappings(self, org: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = self.ask(requests.mappings_request(org))["content"]
        return found

    def _answer(self, request: Request) -> dict[str, Any]:
        answer = self.ask(request)
        for one in (answer, *answer.get("results", [])):
            if "error" in one:
                raise error_of_text(request, str(one["error"]))
        return answer
