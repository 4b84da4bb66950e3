"""Queries of a validation: what InfluxDB counts for the rules, and the counts that tell whether copies are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import tag_filter
from airflow_provider_influx_rollup.flux.frames import FramesQuery
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.ledger.validation import VALIDATION_MEASUREMENT
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

BY_FIELD = '  |> group(columns: ["_field"])'


@dataclass(frozen=True, slots=True)
class SeriesLooks(FramesQuery):
    """Several looks at series in one query; the frames are named after them.

    :param looks: the kind (``"count"``, ``"last"`` or ``"types"``), a part inside one shard group, and a name
    """

    source: RollupSource
    looks: Sequence[tuple[str, Interval, str]]

    def flux(self) -> str:
        return _looks_text(self.source, self.looks)


@dataclass(frozen=True, slots=True)
class FieldLook:
    """Points of a field.

    :param name: of the look
    """

    name: str
    field: str
    points: int


@dataclass(frozen=True, slots=True)
class TotalLooks(RowsQuery[list[FieldLook]]):
    """Points of each field in some parts.

    :param looks: ``"total"``, a part inside one shard group, and a name
    """

    source: RollupSource
    looks: Sequence[tuple[str, Interval, str]]

    def flux(self) -> str:
        return _looks_text(self.source, self.looks)

    def read(self, rows: Sequence[Row]) -> list[FieldLook]:
        return [FieldLook(row.yield_name, row["_field"], row["_value"]) for row in rows]


def _looks_text(source: RollupSource, looks: Sequence[tuple[str, Interval, str]]) -> str:
    return "\n\n".join(
        f"{render_source(source, part)}\n{_look(what, part)}\n  |> yield(name: {literals.string(name)})"
        for what, part, name in looks
    )


def _look(what: str, part: Interval) -> str:
    """The calls after ``from |> range |> filter``."""
    if what == "count":
        return f'{render_aggregate(part, "count")}\n{BY_FIELD}\n  |> drop(columns: ["_stop", "_measurement"])'
    return {
        "last": f'  |> last()\n{BY_FIELD}\n  |> drop(columns: ["_start", "_stop", "_measurement"])',
        "types": f"{BY_FIELD}\n  |> first()",
        "total": f"{BY_FIELD}\n  |> count()",
    }[what]


@dataclass(frozen=True, slots=True)
class FieldExtremes(FramesQuery):
    """The least and the greatest value of each numeric field in some parts, each with its fields."""

    source: RollupSource
    fields_by_part: Mapping[Interval, Sequence[str]]

    def flux(self) -> str:
        return "\n\n".join(
            f'{render_source(self.source, part, fields)}\n{BY_FIELD}\n  |> {name}()\n  |> yield(name: "{name}:{number}")'
            for number, (part, fields) in enumerate(self.fields_by_part.items())
            for name in ("min", "max")
        )

    def part_of(self, frame: Frame) -> Interval:
        """The part that a frame of the answer is about."""
        return list(self.fields_by_part)[int(frame.result.partition(":")[2])]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPoints(FramesQuery):
    """The last points of each series before something.

    :param points: how many of each; one is pushed down
    :param is_joined: whether a tag set may have several series keys, which ``tail()`` refuses unless they are joined
    """

    source: RollupSource
    interval: Interval
    fields: Sequence[str]
    points: int
    is_joined: bool = False

    def flux(self) -> str:
        last = "last()" if self.points == 1 else f"tail(n: {self.points})"
        if self.is_joined:
            last = f'group(columns: ["_time", "_value"], mode: "except")\n  |> sort(columns: ["_time"])\n  |> {last}'
        return (
            f"{render_source(self.source, self.interval, self.fields)}\n  |> {last}\n{BY_FIELD}\n"
            '  |> drop(columns: ["_start", "_stop", "_measurement"])'
        )


@dataclass(frozen=True, slots=True)
class CellCounts(RowsQuery[list[int]]):
    """Points of each cell; ten times cheaper than windows, which make rows for each series."""

    source: RollupSource
    cells: Sequence[Interval]
    fields: Sequence[str]

    def flux(self) -> str:
        return "\n\n".join(
            f'{render_source(self.source, cell, self.fields)}\n{BY_FIELD}\n  |> count()\n  |> yield(name: "{number}")'
            for number, cell in enumerate(self.cells)
        )

    def read(self, rows: Sequence[Row]) -> list[int]:
        counts = [0] * len(self.cells)
        for row in rows:
            counts[int(row.yield_name)] += row["_value"]
        return counts


@dataclass(frozen=True, slots=True)
class CopyCounts(RowsQuery[dict[str, int]]):
    """Number of values of each rule in a quarantine bucket.

    :param rule_tag: of the copies
    """

    copies: RollupSource
    interval: Interval
    rule_tag: str

    def flux(self) -> str:
        columns = literals.strings([self.rule_tag, "_field"])
        return f"{render_source(self.copies, self.interval)}\n  |> group(columns: {columns})\n  |> count()"

    def read(self, rows: Sequence[Row]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in rows:
            counts[row[self.rule_tag]] = counts.get(row[self.rule_tag], 0) + row["_value"]
        return counts


@dataclass(frozen=True, slots=True)
class RecordedRules(RowsQuery[set[str]]):
    """The rules that a validation has results of at an instant.

    :param tags: of the records
    """

    ledger_bucket: str
    tags: Mapping[str, str]
    at: Interval

    def flux(self) -> str:
        source = RollupSource(self.ledger_bucket, VALIDATION_MEASUREMENT, {})
        return (
            f"{render_source(source, self.at, ['violations'])}\n{tag_filter(self.tags)}\n"
            '  |> last()\n  |> keep(columns: ["rule"])\n  |> group()'
        )

    def read(self, rows: Sequence[Row]) -> set[str]:
        return {row["rule"] for row in rows}
