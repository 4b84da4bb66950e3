"""Queries over the source of a rollup: its fields, its counts, its raw points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.frames import FramesQuery
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class FieldTypes(FramesQuery):
    """One typed point for each field that has points in a part: the type of its value is the field's.

    :param parts: each inside one shard group, where a field has one type; a read over several returns the points
        of one type and leaves out the others without a word
    """

    source: RollupSource
    parts: Sequence[Interval]

    def flux(self) -> str:
        # without the tags, which are not needed: a series whose tags cannot be read is a matter of its own windows
        ending = (
            '  |> group(columns: ["_field"])\n  |> first()\n  |> keep(columns: ["_time", "_field", "_value"])'
        )
        reads = [f"{render_source(self.source, part)}\n{ending}" for part in self.parts]
        if len(reads) == 1:
            return reads[0]
        return "\n\n".join(f'{read}\n  |> yield(name: "{index}")' for index, read in enumerate(reads))


@dataclass(frozen=True, slots=True)
class FieldTotals(RowsQuery[dict[str, int]]):
    """Points of each field, in one storage read; None counts every field."""

    source: RollupSource
    interval: Interval
    fields: Sequence[str] | None = None
    result = "totals"

    def flux(self) -> str:
        return (
            f"{render_source(self.source, self.interval, self.fields)}\n"
            '  |> group(columns: ["_field"])\n  |> count()'
        )

    def read(self, rows: Sequence[Row]) -> dict[str, int]:
        totals: dict[str, int] = {}
        for row in rows:
            # a field of several types may come several times
            totals[row["_field"]] = totals.get(row["_field"], 0) + row["_value"]
        return totals


@dataclass(frozen=True, slots=True)
class SeriesAtMost(RowsQuery[int]):
    """How many tag sets with points a measurement has at most, whatever the tags of the source; no point is read.

    It takes about half the time of :class:`FieldSeries`, which is exact.
    """

    source: RollupSource
    interval: Interval

    def flux(self) -> str:
        return (
            'import "influxdata/influxdb"\n\n'
            f"influxdb.cardinality(bucket: {literals.string(self.source.bucket)}, "
            f"start: {literals.time(self.interval.start)}, stop: {literals.time(self.interval.stop)}, "
            f"predicate: (r) => r._measurement == {literals.string(self.source.measurement)})"
        )

    def read(self, rows: Sequence[Row]) -> int:
        return sum(row["_value"] for row in rows)


@dataclass(frozen=True, slots=True)
class FieldSeries(RowsQuery[dict[str, int]]):
    """Series of each field that have points; the storage reads one point of each."""

    source: RollupSource
    interval: Interval
    fields: Sequence[str]

    def flux(self) -> str:
        # without the values, whose types may differ
        return (
            f"{render_source(self.source, self.interval, self.fields)}\n"
            '  |> first()\n  |> keep(columns: ["_field"])\n  |> duplicate(column: "_field", as: "_value")\n  |> count()'
        )

    def read(self, rows: Sequence[Row]) -> dict[str, int]:
        return {row["_field"]: row["_value"] for row in rows}


@dataclass(frozen=True, slots=True)
class WindowCounts(FramesQuery):
    """Points of each series and field in each window; the time is the window's start."""

    source: RollupSource
    runs: Sequence[EqualRun]
    fields: Sequence[str]

    def flux(self) -> str:
        return "\n\n".join(
            f"{render_source(self.source, run.interval, self.fields)}\n"
            f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, "
            'fn: count, createEmpty: false, timeSrc: "_start")\n'
            '  |> group(columns: ["_field"])\n'
            '  |> drop(columns: ["_start", "_stop", "_measurement"])\n'
            f'  |> yield(name: "{index}")'
            for index, run in enumerate(self.runs)
        )


@dataclass(frozen=True, slots=True)
class RawPoints(FramesQuery):
    """The raw points, without the columns that every row would repeat, in one table for each field.

    Few tables take the server two thirds of the time that one table for each series takes.
    """

    source: RollupSource
    interval: Interval
    fields: Iterable[str]

    def flux(self) -> str:
        return (
            f"{render_source(self.source, self.interval, self.fields)}\n"
            '  |> group(columns: ["_field"])\n  |> drop(columns: ["_start", "_stop", "_measurement"])'
        )
