"""What is encoded is what the server reads back: names, tags, types and values."""

from __future__ import annotations

import uuid
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.ledger.line_protocol import UInt, encode_line

pytestmark = pytest.mark.live

# names of its own columns cannot be told from tags
TRICKY = st.text(st.sampled_from("a\\ ,=\"'#\t\r${é☃_"), min_size=1, max_size=6)
ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), min_size=1, max_size=8
)
NAMES = (TRICKY | ANY_TEXT).filter(lambda name: name not in {"result", "table", "", "error", "reference"})
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1).map(UInt),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
POINTS = st.tuples(NAMES, st.dictionaries(NAMES, NAMES, max_size=3), NAMES, VALUES)
TIMES = count(1_700_000_000_000_000_000, 1_000_000)


@pytest.fixture(scope="module")
def bucket(client: InfluxClient) -> str:
    return client.ensure_bucket(f"line_protocol_{uuid.uuid4().hex[:12]}").name


def encoded(time_ns: int, point: tuple[str, dict[str, str], str, Any]) -> tuple[Any, str] | None:
    """The point as it should be read, and its line; None when the encoder refuses its names."""
    measurement, tags, field, value = point
    # one field never has two types: the server would refuse the second
    typed = f"{type(value).__name__}{field}"
    try:
        line = encode_line(measurement, tags, {typed: value}, time_ns)
    except InvalidName:
        return None
    return (measurement, dict(tags), typed, value), line


@given(points=st.lists(POINTS, min_size=1, max_size=10))
@settings(max_examples=40)
def test_points_are_read_back_as_they_were_encoded(
    client: InfluxClient, bucket: str, points: list[Any]
) -> None:
    start = next(TIMES)
    # a microsecond apart: that much a datetime keeps of a time
    times = [start + 1000 * offset for offset in range(len(points))]
    accepted = [pair for time, point in zip(times, points, strict=True) if (pair := encoded(time, point))]
    client.write_lines(bucket, [line for _, line in accepted])
    rows = client.query(
        f'from(bucket: "{bucket}") |> range(start: time(v: {start}), stop: time(v: {times[-1] + 1})) '
        '|> drop(columns: ["_start", "_stop"])'
    )
    found = []
    for row in sorted(rows, key=lambda row: row["_time"]):
        own = ("result", "table", "_time", "_value", "_field", "_measurement")
        tags = {key: value for key, value in row.items() if key not in own}
        found.append((row["_measurement"], tags, row["_field"], row["_value"]))
    assert found == [expected for expected, _ in accepted]
    assert [type(value) is bool for *_, value in found] == [type(p[3]) is bool for p, _ in accepted]
