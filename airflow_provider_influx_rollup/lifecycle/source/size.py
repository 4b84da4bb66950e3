"""Count in the storage engine the points that a rollup would read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from airflow_provider_influx_rollup.aggregates.hierarchy import TierRules
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_size import SourceSizes, WindowPoints
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import merge
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_PARTS = 24

Rules = AggregateRules | TierRules


@dataclass(frozen=True, slots=True)
class SourceSize:
    """Points of the source in some windows.

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


def measure_source(spec: RollupSpec, rules: Rules, windows: Sequence[Interval]) -> Steps[SourceSize]:
    """Count what is there for some windows; points of overlapping windows count once.

    :param rules: what the rollup reads of the source
    :param windows: of the grid, in any order
    """
    spans = merge(windows)
    if not spans:
        return SourceSize()
    if len(spans) <= MAX_PARTS:
        return (yield from _measure_spans(spec, rules, spans))
    # one read over all of them costs less than one for each of many gaps
    whole = Interval.spanning(spans)
    cells = yield from count_cells(spec, rules, whole)
    size = yield from _measure_spans(spec, rules, [whole])
    return SourceSize(sum(cells.inside(span) for span in spans), size.values_per_window)


def _measure_spans(spec: RollupSpec, rules: Rules, spans: Sequence[Interval]) -> Steps[SourceSize]:
    sizes = yield from ask(SourceSizes(source_of(spec), spans))
    reads = _reads(rules, sizes.points)
    most = sum(max(sizes.series[name] for name in names) * columns for names, columns in reads)
    return SourceSize(sum(sizes.points[name] for name in _names(reads)), most)


def count_cells(spec: RollupSpec, rules: Rules, span: Interval) -> Steps[CellPoints]:
    """Count the points of each cell of the grid.

    :param rules: what the rollup reads of the source
    :param span: must start and stop on the grid
    """
    cells = spec.grid.grid().tile(span)
    counted = yield from ask(WindowPoints(source_of(spec), equal_runs(cells)))
    wanted = _names(_reads(rules, {name for name, _, _ in counted}))
    points: dict[datetime, int] = {}
    for name, start, count in counted:
        if name in wanted:
            points[start] = points.get(start, 0) + count
    return CellPoints.of(cells, points)


def _reads(rules: Rules, present: Iterable[str]) -> list[tuple[set[str], int]]:
    """Fields of the source that are read together, and how many columns they become.

    :param present: the fields that the source has
    """
    if isinstance(rules, AggregateRules):
        return [({name}, len(rules.names_for(name))) for name in present if rules.names_for(name)]
    # which fields a tier is merged from does not depend on their types
    columns = rules.select(dict.fromkeys(present, "float")).columns
    fields = dict.fromkeys(column.field for column in columns)
    grouped = {field: [column for column in columns if column.field == field] for field in fields}
    return [({name for column in some for name in column.sources}, len(some)) for some in grouped.values()]


def _names(reads: Iterable[tuple[set[str], int]]) -> set[str]:
    return {name for names, _ in reads for name in names}


def source_of(spec: RollupSpec) -> RollupSource:
    """The place of the points."""
    return RollupSource(spec.source_bucket, spec.measurement, spec.tags)
