"""Queries that read the target of a rollup back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter
from airflow_provider_influx_rollup.flux.frames import FramesQuery
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetValues(FramesQuery):
    """All values of a target whose time lies in an interval, grouped by field so that the answer has few tables.

    :param aggregate_names: only fields that end with one of these; None reads every field
    :param tags: the tag values that belong to the pipeline
    """

    bucket: str
    measurement: str
    interval: Interval
    aggregate_names: Sequence[str] | None = None
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def flux(self) -> str:
        suffixed = None if self.aggregate_names is None else _suffix_filter(self.aggregate_names)
        chain = _target_chain(self.bucket, self.measurement, self.interval, suffixed, self.tags)
        return f'{chain}\n  |> drop(columns: ["_start", "_stop", "_measurement"])'


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """Values of a target, by field.

    :param rows: how many values
    :param points: what the stored counts add up to
    """

    rows: Mapping[str, int]
    points: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTotals(RowsQuery[TargetCounts]):
    """Number of values of each field of a target, and the sum of its stored counts.

    :param tags: the tag values that belong to the pipeline
    :param count_fields: the fields that hold counts
    """

    bucket: str
    measurement: str
    interval: Interval
    aggregate_names: Sequence[str]
    tags: Mapping[str, tuple[str, ...]]
    count_fields: Sequence[str] = ()
    yields = ("rows", "points")

    def flux(self) -> str:
        place = self.bucket, self.measurement, self.interval
        chain = _target_chain(*place, _suffix_filter(self.aggregate_names), self.tags)
        query = f'{chain}\n  |> count()\n  |> yield(name: "rows")'
        if self.count_fields:
            counts = _target_chain(*place, field_filter(self.count_fields).strip(), self.tags)
            query += f'\n\n{counts}\n  |> sum()\n  |> yield(name: "points")'
        return query

    def read(self, rows: Sequence[Row]) -> TargetCounts:
        rows_of, points = (
            {row["_field"]: row["_value"] for row in rows if row.yield_name == name}
            for name in ("rows", "points")
        )
        return TargetCounts(rows_of, points)


def _target_chain(
    bucket: str,
    measurement: str,
    interval: Interval,
    fields: str | None,
    tags: Mapping[str, tuple[str, ...]],
) -> str:
    lines = [*_from(bucket, measurement, interval)]
    if fields is not None:
        lines.append(fields)
    if tags:
        lines.append(tag_filter(tags).strip())
    return "\n  ".join([*lines, '|> group(columns: ["_field"])'])


def _from(bucket: str, measurement: str, interval: Interval) -> list[str]:
    return [
        f"from(bucket: {literals.string(bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        measurement_filter(measurement).strip(),
    ]


def _suffix_filter(aggregate_names: Sequence[str]) -> str:
    suffixes = "|".join(re.escape(name) for name in aggregate_names)
    return f"|> filter(fn: (r) => r._field =~ {literals.regex(f'_({suffixes})$')})"


@dataclass(frozen=True, slots=True)
class PointsThere(RowsQuery[list["Row"]]):
    """All points of a measurement in an interval, to see which of a script's are there: its columns are its own."""

    bucket: str
    measurement: str
    interval: Interval

    @property
    def as_sent(self) -> bool:
        # the script's own rows came without them too
        return True

    def flux(self) -> str:
        place = _from(self.bucket, self.measurement, self.interval)
        return "\n  ".join([*place, '|> drop(columns: ["_start", "_stop"])'])

    def read(self, rows: Sequence[Row]) -> list[Row]:
        return list(rows)
