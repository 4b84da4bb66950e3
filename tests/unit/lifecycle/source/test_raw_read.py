"""Raw points that one query cannot return: every point is read once, whatever the limit, and no point of other series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import QueryTooLarge
from airflow_provider_influx_rollup.flux.archive import TagValues
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.flux.source_schema import TagKeys
from airflow_provider_influx_rollup.lifecycle.source.raw_read import read_raw_points
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 3, 8, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))


@dataclass(frozen=True)
class Point:
    """A point of a made-up bucket."""

    field: str
    device: str
    site: str
    second: int

    def is_in(self, source: RollupSource, interval: Interval) -> bool:
        tags = {"device": self.device, "site": self.site}
        chosen = all(tags[key] in values for key, values in source.tags.items())
        return chosen and interval.contains(START + timedelta(seconds=self.second))


class Bucket:
    """Answers the queries of a read; one that returns more than so many points reaches a limit."""

    def __init__(self, points: list[Point], most: int) -> None:
        self.points, self.most = points, most
        self.said: list[str] = []

    def answer(self, step: Any) -> Any:
        if isinstance(step, Report):
            self.said.append(step.message)
            return None
        if isinstance(step, TagKeys):
            return ["_field", "_measurement", "_start", "_stop", "device", "site"]
        if isinstance(step, TagValues):
            inside = [one for one in self.points if one.is_in(step.source, step.interval)]
            return sorted({getattr(one, step.key) for one in inside})
        assert isinstance(step, RawPoints)
        fields = set(step.fields)
        found = [one for one in self.points if one.field in fields and one.is_in(step.source, step.interval)]
        if len(found) > self.most:
            raise QueryTooLarge("too many")
        return found

    def read(self, fields: list[str], tags: Mapping[str, tuple[str, ...]]) -> list[Any]:
        steps = read_raw_points(RawPoints(RollupSource("raw", "m", tags), DAY, fields))
        send: Any = (steps.send, None)
        while True:
            try:
                step = send[0](send[1])
            except StopIteration as end:
                found: list[Any] = end.value
                return found
            try:
                send = (steps.send, self.answer(step))
            except QueryTooLarge as error:
                send = (steps.throw, error)


POINTS = st.lists(
    st.builds(
        Point,
        field=st.sampled_from(["a", "b", "c"]),
        device=st.sampled_from(["x", "y", "z", "u", "v"]),
        site=st.sampled_from(["", "n", "s"]),
        second=st.sampled_from([0, 1, 40_000, 86_399]),
    ),
    unique=True,
    max_size=60,
)
TAGS = st.sampled_from([{}, {"site": ("n",)}, {"site": ("n", "s")}, {"device": ("x", "y"), "site": ("s",)}])


@given(points=POINTS, tags=TAGS, most=st.integers(1, 20))
def test_every_point_is_read_once_and_no_other_when_one_query_has_a_limit(
    points: list[Point], tags: dict[str, tuple[str, ...]], most: int
) -> None:
    found = Bucket(points, most).read(["a", "b"], tags)
    source = RollupSource("raw", "m", tags)
    wanted = [one for one in points if one.field in ("a", "b") and one.is_in(source, DAY)]
    assert len(found) == len(set(found))
    assert set(found) == set(wanted)


def test_the_error_is_told_when_no_smaller_query_helps() -> None:
    bucket = Bucket([Point("a", "x", "n", 1)], most=0)
    with pytest.raises(QueryTooLarge, match="too many"):
        bucket.read(["a", "b"], {})


def test_series_of_one_time_are_read_in_groups() -> None:
    bucket = Bucket([Point("a", f"d{number}", "n", 1) for number in range(40)], most=10)
    assert len(bucket.read(["a"], {})) == 40
    assert any("is read in 4 groups of series: too many" in text for text in bucket.said)
