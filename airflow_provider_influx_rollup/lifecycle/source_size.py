"""How many points a rollup would read, counted in the storage engine."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_size import size_query, window_points_query
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.steps import Query, Steps
from airflow_provider_influx_rollup.windows.coverage import merge
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval

MOST_PARTS = 24


@dataclass(frozen=True, slots=True)
class SourceSize:
    """What the source holds for some windows.

    :param points: field values that the rollup would read
    :param values_per_window: the most target values a window can have: one for each series and aggregate
    """

    points: int = 0
    values_per_window: int = 0


@dataclass(frozen=True, slots=True)
class CellPoints:
    """Source points of each cell of a grid.

    :param starts: of the cells, ascending
    :param totals: the points before each cell, and those of all cells at the end
    """

    starts: Sequence[datetime]
    totals: Sequence[int]

    @classmethod
    def of(cls, cells: Sequence[Interval], points: Mapping[datetime, int]) -> CellPoints:
        """From the points of the cells that have any.

        :param points: by the cell's start
        """
        starts = [cell.start for cell in cells]
        return cls(starts, list(accumulate((points.get(start, 0) for start in starts), initial=0)))

    def inside(self, interval: Interval) -> int:
        """The points of the cells of an interval that starts and stops with a cell."""
        first, last = (bisect_left(self.starts, instant) for instant in (interval.start, interval.stop))
        return self.totals[last] - self.totals[first]


def measure_source(spec: RollupSpec, windows: Sequence[Interval]) -> Steps[SourceSize]:
    """Count what is there for some windows; points of overlapping windows count once.

    :param windows: of the grid, in any order
    """
    spans = merge(windows)
    if not spans:
        return SourceSize()
    if len(spans) <= MOST_PARTS:
        return (yield from _measure_spans(spec, spans))
    # one read over all of them costs less than one for each of many gaps
    whole = Interval(spans[0].start, spans[-1].stop)
    cells = yield from count_cells(spec, whole)
    size = yield from _measure_spans(spec, [whole])
    return SourceSize(sum(cells.inside(span) for span in spans), size.values_per_window)


def _measure_spans(spec: RollupSpec, spans: Sequence[Interval]) -> Steps[SourceSize]:
    rules = spec.rules()
    points, values = 0, dict[str, int]()
    for row in (yield Query(size_query(source_of(spec), spans))):
        field = row["_field"]
        names = rules.names_for(field)
        if names and row["result"].startswith("points"):
            points += row["_value"]
        elif names:
            values[field] = max(values.get(field, 0), row["_value"] * len(names))
    return SourceSize(points, sum(values.values()))


def count_cells(spec: RollupSpec, span: Interval) -> Steps[CellPoints]:
    """Count the points of each cell of the grid.

    :param span: must start and stop on the grid
    """
    cells = spec.grid.grid().tile(span)
    rules = spec.rules()
    points: dict[datetime, int] = {}
    for row in (yield Query(window_points_query(source_of(spec), equal_runs(cells)))):
        if rules.names_for(row["_field"]):
            points[row["_time"]] = points.get(row["_time"], 0) + row["_value"]
    return CellPoints.of(cells, points)


def source_of(spec: RollupSpec) -> RollupSource:
    """Where the points are."""
    return RollupSource(spec.source_bucket, spec.measurement, spec.tags)
