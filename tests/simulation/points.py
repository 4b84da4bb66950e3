"""Points of the simulated server, by series and time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_influx_rollup.flux.archive import PointsOf
from airflow_provider_influx_rollup.flux.erase import MatchingPoints
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.influx import SimulatedInflux, nanoseconds
from tests.simulation.lines import Tags, Value

Point = tuple[Tags, str, int, Any]


def points_of(
    influx: SimulatedInflux,
    source: RollupSource,
    start_ns: int,
    stop_ns: int,
    fields: Collection[str] | None = None,
) -> Iterator[tuple[Tags, str, list[int], dict[int, Value]]]:
    """Series with the times of their points in order, and all values by time."""
    for (tags, name), values in influx.bucket(source.bucket).ordered(source.measurement):
        if (fields is None or name in fields) and (not source.tags or _fits(tags, source.tags)):
            times = sorted(time for time in values if start_ns <= time < stop_ns)
            if times:
                yield tags, name, times, values


def _fits(tags: Tags, wanted: Mapping[str, Sequence[str]]) -> bool:
    have = dict(tags)
    return all(have.get(key, "") in values for key, values in wanted.items())


def span_of(interval: Interval) -> tuple[int, int]:
    """Start and stop in nanoseconds."""
    return nanoseconds(interval.start), nanoseconds(interval.stop)


def points_of_query(influx: SimulatedInflux, query: Any) -> Iterator[Point]:
    """What a query of whole points returns."""
    if isinstance(query, MatchingPoints):
        source, fields = query.source, None
    else:
        assert isinstance(query, PointsOf), query
        source = RollupSource(query.bucket, query.measurement, query.tags)
        fields = query.fields or None
    for tags, name, times, values in points_of(influx, source, *span_of(query.interval), fields):
        for time in times:
            yield tags, name, time, values[time]
