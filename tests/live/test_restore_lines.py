"""Restored lines are what the server reads back, whatever the names are."""

from __future__ import annotations

import csv
import io
import json
import urllib.request
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.stores.point_lines import encode_points
from tests.conftest import InfluxServer
from tests.scenes.plain_points import Point
from tests.unit.stores.test_point_lines import VALUES, batch_of

pytestmark = pytest.mark.live

NAMES = st.text(st.sampled_from('ab,= "\\é\t\n'), min_size=1, max_size=6)
TIMES = count(1_700_000_000_000_000_000, 1_000)
MAX_POINTS = 12


@pytest.fixture(scope="module")
def bucket(client: InfluxClient) -> str:
    return client.ensure_bucket("restored_lines").name


@st.composite
def points_of_one_kind(draw: st.DrawFn) -> list[Point]:
    kind = draw(st.sampled_from(sorted(VALUES)))
    keys = draw(st.lists(NAMES, max_size=2, unique=True))
    values = VALUES[kind] if kind != "string" else st.text(st.sampled_from('ab,= "\\\n\0é'), max_size=8)
    made = []
    for _ in range(draw(st.integers(1, MAX_POINTS))):
        tags = tuple(sorted((key, draw(NAMES)) for key in keys if draw(st.booleans())))
        made.append(Point(tags, f"{kind}{draw(NAMES)}", kind, draw(values), 0))
    return made


@given(points_of_one_kind())
@settings(max_examples=60)
def test_points_are_read_back_as_they_were_encoded(
    client: InfluxClient, influx: InfluxServer, bucket: str, points: list[Point]
) -> None:
    start = next(TIMES)
    keys = sorted({key for point in points for key, _ in point.tags})
    accepted = []
    for place, point in enumerate(points):
        timed = Point(point.tags, point.field, point.kind, point.value, start + place)
        try:
            list(encode_points("m", [batch_of([timed], keys)]))
        except InvalidName:
            continue
        accepted.append(timed)
    if accepted:
        for body, _ in encode_points("m", [batch_of(accepted, keys)]):
            client.write_payload(bucket, body)
    assert read(influx, bucket, start) == {point.identity for point in accepted}


def read(influx: InfluxServer, bucket: str, start: int) -> set[tuple[Any, ...]]:
    """The points of some nanoseconds, by Python's csv module."""
    flux = (
        f'from(bucket: "{bucket}") |> range(start: time(v: {start}), stop: time(v: {start + MAX_POINTS}))'
        ' |> drop(columns: ["_start", "_stop", "_measurement"]) |> map(fn: (r) => ({r with _time: int(v: r._time)}))'
    )
    body = json.dumps({"query": flux, "dialect": {"annotations": ["datatype"]}}).encode()
    headers = {"Authorization": f"Token {influx.token}", "Content-Type": "application/json"}
    url = f"{influx.url}/api/v2/query?org={influx.org}"
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    found, types, names = set(), [], []
    for row in csv.reader(io.StringIO(text, newline="")):
        if not row:
            names = []
        elif row[0] == "#datatype":
            types = row
        elif not names:
            names = row
        else:
            found.add(
                identity(dict(zip(names[3:], row[3:], strict=True)), dict(zip(names, types, strict=True)))
            )
    return found


def identity(cells: dict[str, str], types: dict[str, str]) -> tuple[Any, ...]:
    # a line feed inside a cell or a name comes with a carriage return
    plain = {name.replace("\r\n", "\n"): text.replace("\r\n", "\n") for name, text in cells.items()}
    time, field, value = (plain.pop(name) for name in ("_time", "_field", "_value"))
    kinds: dict[str, tuple[str, Any]] = {
        "double": ("float", float),
        "long": ("integer", int),
        "unsignedLong": ("unsigned", int),
        "boolean": ("boolean", lambda text: text == "true"),
        "string": ("string", str),
    }
    kind, convert = kinds[types["_value"]]
    tags = tuple(sorted((name, text) for name, text in plain.items() if text))
    return Point(tags, field, kind, convert(value), int(time)).identity
