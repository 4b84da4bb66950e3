"""Queries that measure the source of a rollup, without reading its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class FieldSizes:
    """Points of a source, by field.

    :param points: of all intervals together
    :param series: of the interval that has most
    """

    points: dict[str, int]
    series: dict[str, int]


@dataclass(frozen=True, slots=True)
class SourceSizes(RowsQuery[FieldSizes]):
    """Points and series of each field in some intervals, one storage read per interval."""

    source: RollupSource
    intervals: Sequence[Interval]

    def flux(self) -> str:
        return "\n\n".join(
            f"part{number} = {render_source(self.source, interval)}\n"
            f"{render_aggregate(interval, 'count')}\n"
            '  |> group(columns: ["_field"])\n\n'
            f'part{number} |> sum() |> yield(name: "points:{number}")\n\n'
            f'part{number} |> count() |> yield(name: "series:{number}")'
            for number, interval in enumerate(self.intervals)
        )

    def read(self, rows: Sequence[Row]) -> FieldSizes:
        sizes = FieldSizes({}, {})
        for row in rows:
            name, value = row["_field"], row["_value"]
            if row.yield_name.startswith("points"):
                sizes.points[name] = sizes.points.get(name, 0) + value
            else:
                sizes.series[name] = max(sizes.series.get(name, 0), value)
        return sizes


@dataclass(frozen=True, slots=True)
class WindowPoints(RowsQuery[list[tuple[str, datetime, int]]]):
    """Points of each field in each window over all series: field, the window's start, points."""

    source: RollupSource
    runs: Sequence[EqualRun]

    def flux(self) -> str:
        return "\n\n".join(
            f"{render_source(self.source, run.interval)}\n"
            f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, "
            'fn: count, createEmpty: false, timeSrc: "_start")\n'
            '  |> group(columns: ["_field", "_time"])\n'
            "  |> sum()\n"
            '  |> group(columns: ["_field"])\n'
            f'  |> yield(name: "{number}")'
            for number, run in enumerate(self.runs)
        )

    def read(self, rows: Sequence[Row]) -> list[tuple[str, datetime, int]]:
        return [(row["_field"], row["_time"], row["_value"]) for row in rows]
