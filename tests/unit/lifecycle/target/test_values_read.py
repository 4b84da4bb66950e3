"""Values that one query has no memory for: each is read once, whatever the parts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import QueryTooLarge
from airflow_provider_influx_rollup.flux.archive import TagValues
from airflow_provider_influx_rollup.flux.source_schema import TagKeys
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.lifecycle.target.values_read import read_values
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 3, 8, tzinfo=UTC)
HOURS = 8
DAY = Interval(START, START + timedelta(hours=HOURS))
FIELDS = ("x_count", "x_sum")
#: customer, device; one has no device
SERIES = [("42", f"d{number}" if number else "") for number in range(30)] + [("7", "d1")]
ROWS = [
    (field, customer, device, START + timedelta(hours=hour), float(number * 100 + hour))
    for field in FIELDS
    for number, (customer, device) in enumerate(SERIES)
    for hour in range(HOURS)
]
QUERY = TargetValues(bucket="rolled", measurement="m", interval=DAY, tags={"customer": ("42",)})


def frame_of(rows: list[Any]) -> Frame:
    """Rows of one field, as a query returns them."""
    sets = [tuple((k, v) for k, v in (("customer", row[1]), ("device", row[2])) if v) for row in rows]
    known = sorted(set(sets))
    return Frame(
        tag_sets=known,
        series=np.array([known.index(one) for one in sets], np.int64),
        fields=[rows[0][0]],
        field=np.zeros(len(rows), np.int64),
        time_ns=np.array([int(row[3].timestamp()) * 10**9 for row in rows], np.int64),
        values=np.array([row[4] for row in rows]),
    )


class Server:
    """Returns no more than so many values of one query."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.said: list[str] = []

    def answer(self, step: Any) -> Any:
        if isinstance(step, Report):
            return self.said.append(step.message)
        if isinstance(step, TagKeys):
            return ["_field", "_measurement", "customer", "device"]
        if isinstance(step, TagValues):
            return sorted({row[2] for row in rows_of(step.source.tags, step.interval)} - {""})
        rows = rows_of(step.tags, step.interval)
        if len(rows) > self.most:
            raise QueryTooLarge("too many")
        return [frame_of(some) for name in FIELDS if (some := [row for row in rows if row[0] == name])]

    def read(self) -> list[Frame]:
        steps = read_values(QUERY)
        answer, error = None, None
        while True:
            try:
                step = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as end:
                return list(end.value)
            answer, error = None, None
            try:
                answer = self.answer(step)
            except QueryTooLarge as refused:
                error = refused


def rows_of(tags: Mapping[str, tuple[str, ...]], interval: Interval) -> list[Any]:
    """The rows that a query is about."""
    devices = tags.get("device")
    return [
        row
        for row in ROWS
        if row[1] in tags["customer"] and (devices is None or row[2] in devices) and interval.contains(row[3])
    ]


@pytest.mark.parametrize("most", [2, 5, 16, 64, 200, 480])
def test_each_value_is_read_once_and_no_other(most: int) -> None:
    server = Server(most)
    frames = server.read()
    found = Counter(
        (frame.fields[frame.field[at]], frame.tag_sets[frame.series[at]], frame.time_ns[at], frame.values[at])
        for frame in frames
        for at in range(len(frame))
    )
    expected = Counter(
        (name, frame_of([row]).tag_sets[0], int(row[3].timestamp()) * 10**9, row[4])
        for row in ROWS
        for name in [row[0]]
        if row[1] == "42"
    )
    assert found == expected
    assert sorted(name for frame in frames for name in frame.fields) == list(FIELDS)
    assert bool(server.said) is (most < len(expected))


def test_the_error_is_told_when_one_series_at_one_time_is_too_much() -> None:
    with pytest.raises(QueryTooLarge, match="too many"):
        Server(1).read()
