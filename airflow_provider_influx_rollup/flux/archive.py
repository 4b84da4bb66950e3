"""Queries of an archive: whole points, in slices that no shard group border crosses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.at_signs import plain_name, plain_names_stage
from airflow_provider_influx_rollup.flux.filters import known_field_filter
from airflow_provider_influx_rollup.flux.query import PointsQuery, RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.flux.source_schema import tag_keys_text
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

CARRIAGE_RETURN = literals.regex("\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsOf(PointsQuery):
    """All points, series after series of one field after the other.

    Without the bounds a row costs the server half. It gathers the whole answer then, so the slice must be bounded.

    :param by_field: one table for each field instead of one for each series and field. 10,000 series of 200 points take
        the server two thirds of the time, long ones the same; its memory holds the tags of every row. No field may have
        two types in the interval.
    :param fields: only these; empty: all
    :param tags: only series that have one of these values, for each key
    """

    bucket: str
    measurement: str
    interval: Interval
    by_field: bool = False
    fields: Sequence[str] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def flux(self) -> str:
        source = render_source(RollupSource(self.bucket, self.measurement, self.tags), self.interval)
        chosen = f"{known_field_filter(self.fields)}\n" if self.fields else ""
        grouped = '  |> group(columns: ["_field"])\n' if self.by_field else ""
        return f'{source}\n{chosen}{grouped}  |> drop(columns: ["_start", "_stop", "_measurement"])'


@dataclass(frozen=True, slots=True)
class TagValues(RowsQuery[list[str]]):
    """Values of a tag that series with points have, or names of fields, from the index.

    :param key: the tag's, or ``_field``
    """

    source: RollupSource
    interval: Interval
    key: str

    def flux(self) -> str:
        column = literals.string(self.key)
        return (
            f"{render_source(self.source, self.interval)}\n  |> keep(columns: [{column}])\n  |> group()\n"
            f"  |> distinct(column: {column})"
        )

    def read(self, rows: Sequence[Row]) -> list[str]:
        return [row["_value"] or "" for row in rows]


@dataclass(frozen=True, slots=True)
class SliceCounts(RowsQuery[list[int]]):
    """Points of each slice, counted in the storage engine."""

    source: RollupSource
    slices: Sequence[Interval]

    def flux(self) -> str:
        return "\n\n".join(
            f'{render_source(self.source, part)}\n{render_aggregate(part, "count")}\n  |> group()\n  |> sum()\n  |> yield(name: "{number}")'
            for number, part in enumerate(self.slices)
        )

    def read(self, rows: Sequence[Row]) -> list[int]:
        counts = [0] * len(self.slices)
        for row in rows:
            counts[int(row.yield_name)] += row["_value"]
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class LostText:
    """Texts that an answer would change.

    :param where: ``"names"``, ``"keys"``, ``"values"`` or ``"mixed"``
    :param field: of the values; empty for names
    """

    where: str
    field: str
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LostTexts(RowsQuery[list[LostText]]):
    """Points whose text an answer would change: a carriage return is lost in annotated CSV.

    :param tags: tag keys
    :param fields: fields that only ever had texts
    :param mixed_fields: fields that had texts and other types
    """

    bucket: str
    measurement: str
    interval: Interval
    tags: Sequence[str]
    fields: Sequence[str]
    mixed_fields: Sequence[str] = ()

    def flux(self) -> str:
        source, interval = RollupSource(self.bucket, self.measurement, {}), self.interval
        names = ["_field", *self.tags]
        anywhere = " or ".join(
            f"r[{literals.string(plain_name(name))}] =~ {CARRIAGE_RETURN}" for name in names
        )
        counted = render_aggregate(interval, "count")
        plain = plain_names_stage(names)
        named = f"{render_source(source, interval)}\n{plain}  |> filter(fn: (r) => {anywhere})\n{counted}\n"
        is_lost = f"r._value =~ {CARRIAGE_RETURN}"
        keys = f"{tag_keys_text(source, interval)}\n  |> filter(fn: (r) => {is_lost})\n  |> count()\n"
        reads = [
            f'{named}  |> group()\n  |> sum()\n  |> yield(name: "names")',
            f'{keys}  |> yield(name: "keys")',
        ]
        # in one condition: a filter of its own after that of the type fails on other types
        is_lost_text = f'types.isType(v: r._value, type: "string") and {is_lost}'
        for name, chosen, condition in (
            ("values", self.fields, is_lost),
            ("mixed", self.mixed_fields, is_lost_text),
        ):
            if chosen:
                reads.append(
                    f"{render_source(source, interval)}\n{known_field_filter(chosen)}\n"
                    f"  |> filter(fn: (r) => {condition})\n"
                    f'  |> group(columns: ["_field"])\n  |> count()\n  |> yield(name: "{name}")'
                )
        return "\n\n".join(['import "types"', *reads] if self.mixed_fields else reads)

    def read(self, rows: Sequence[Row]) -> list[LostText]:
        return [
            LostText(where=row.yield_name, field=row.get("_field") or "", points=row["_value"])
            for row in rows
            if row["_value"]
        ]
