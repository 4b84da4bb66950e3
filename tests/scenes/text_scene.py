"""Points with texts that the server's CSV changes, written and read without it."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer

START = datetime(2025, 3, 8, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
HOUR = Interval(START, START + timedelta(hours=1))
MINUTE_NS = 60 * 10**9


def put(influx: InfluxServer, bucket: str, *lines: bytes | str) -> None:
    """Write lines as the bytes that they are; a minute lies between two of them."""
    data = b"\n".join(
        (line if isinstance(line, bytes) else line.encode()) + b" %d" % (START_NS + number * MINUTE_NS)
        for number, line in enumerate(lines)
    )
    query = urllib.parse.urlencode({"org": influx.org, "bucket": bucket, "precision": "ns"})
    _send(influx, f"/api/v2/write?{query}", data)


def _send(influx: InfluxServer, path: str, data: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Token {influx.token}"}
    request = urllib.request.Request(influx.url + path, data, headers)
    with urllib.request.urlopen(request) as answer:
        body: bytes = answer.read()
    return body


def influxql(
    influx: InfluxServer, bucket: str, statement: str, *, changes: bool = False
) -> list[dict[str, Any]]:
    """The series of one InfluxQL statement, whose JSON keeps every character."""
    query = urllib.parse.urlencode({"db": bucket, "q": statement})
    answer = json.loads(_send(influx, f"/query?{query}", b"" if changes else None))
    return answer.get("results", [{}])[0].get("series", [])


def stored(
    influx: InfluxServer, bucket: str, measurement: str = "m"
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows of a measurement by their tags, as ``key=value``, without their times."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for series in influxql(influx, bucket, f'SELECT * FROM "{measurement}" GROUP BY *'):  # noqa: S608 - a name of the test
        tags = tuple(sorted(f"{key}={value}" for key, value in series.get("tags", {}).items() if value))
        for values in series["values"]:
            row = dict(zip(series["columns"], values, strict=True))
            row.pop("time")
            found.setdefault(tags, {}).update({key: value for key, value in row.items() if value is not None})
    return found


def name(given: str) -> str:
    """A name in line protocol."""
    for character in ",= ":
        given = given.replace(character, f"\\{character}")
    return given


def text(given: str) -> str:
    """A string value in line protocol."""
    return '"' + given.replace("\\", "\\\\").replace('"', '\\"') + '"'
