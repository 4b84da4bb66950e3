"""What an erasure looks for, where one query has no memory for all series: each is looked at once, and no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, Total
from airflow_provider_influx_rollup.exceptions import QueryTooLarge
from airflow_provider_influx_rollup.flux.archive import SliceCounts, TagValues
from airflow_provider_influx_rollup.flux.erase import PointEdges
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_schema import TagKeys
from airflow_provider_influx_rollup.lifecycle.erase.source import FoundPoints, find_matching
from airflow_provider_influx_rollup.steps.influx import Bucket, Gather, Progressed, Report
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 3, 8, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
MINUTE = START + timedelta(minutes=1)
#: customer, device, site
SERIES = [("42", f"d{number}", f"s{number % 3}") for number in range(60)] + [("7", "d1", "s1")]
KEYS = ("customer", "device", "site")


class Server:
    """Has one point of each series; looks at no more than so many series in one query."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.said: list[str] = []
        self.read: list[tuple[str, str, str]] = []

    def _of(self, source: RollupSource) -> list[tuple[str, str, str]]:
        return [
            one
            for one in SERIES
            if all(one[KEYS.index(key)] in values for key, values in source.tags.items())
        ]

    def answer(self, step: Any) -> Any:
        if isinstance(step, Progressed):
            return None
        if isinstance(step, Report):
            return self.said.append(step.message)
        if isinstance(step, Gather):
            return tuple(self._fingerprint(one.points[0].source) for one in step.steps)
        found = self._of(step.source)
        if isinstance(step, TagKeys):
            return ["_field", "_measurement", *KEYS]
        if isinstance(step, TagValues):
            return sorted({one[KEYS.index(step.key)] for one in found})
        if len(found) > self.most:
            raise QueryTooLarge("too many")
        if isinstance(step, PointEdges):
            is_inside = step.interval.contains(MINUTE)
            return [MINUTE] if found and is_inside else []
        assert isinstance(step, SliceCounts)
        return [len(found) if part.contains(MINUTE) else 0 for part in step.slices]

    def _fingerprint(self, source: RollupSource) -> Fingerprint:
        found = self._of(source)
        self.read += found
        totals = {hash(one): Total(1, "0" * 16) for one in found}
        return Fingerprint(fields={("v", "float"): Total(len(found), "0" * 16)}, series=totals)

    def find(self) -> FoundPoints:
        source = RollupSource("raw", "m", {"customer": ("42",)})
        steps = find_matching(BUCKET, source, DAY, 1_000)
        send: Any = (steps.send, None)
        while True:
            try:
                step = send[0](send[1])
            except StopIteration as end:
                found: FoundPoints = end.value
                return found
            try:
                send = (steps.send, self.answer(step))
            except QueryTooLarge as error:
                send = (steps.throw, error)


BUCKET = Bucket(name="raw", retention_seconds=0, shard_group_seconds=3600)


@pytest.mark.parametrize("most", [1, 2, 7, 25, 60])
def test_each_series_is_found_once_and_no_other(most: int) -> None:
    server = Server(most)
    found = server.find()
    assert sorted(server.read) == sorted(one for one in SERIES if one[0] == "42")
    assert found.points.total.rows == 60
    assert found.spans
    assert all(span.contains(MINUTE) for span in found.spans)
    assert bool(server.said) is (most < 60)


def test_the_error_is_told_when_one_series_is_too_much() -> None:
    with pytest.raises(QueryTooLarge, match="too many"):
        Server(0).find()
