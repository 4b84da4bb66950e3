"""Queries that tell which series reported, and when last."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter
from airflow_provider_influx_rollup.flux.literals import RawFlux
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.series import Series, series_of
from airflow_provider_influx_rollup.globs import is_glob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_influx_rollup.archive.annotated_rows import Row
    from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class SeriesSource:
    """The points that are watched.

    :param bucket: the bucket they are in
    :param measurement: their measurement
    :param fields: names or globs, applied from left to right, ``!`` takes away; None takes all
    :param tags: tag values to keep, per tag key
    """

    bucket: str
    measurement: str
    fields: tuple[str, ...] | None = None
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def source_chain(source: SeriesSource, interval: Interval) -> RawFlux:
    """``from |> range |> filter``, which the storage engine evaluates.

    :raises InvalidName: when InfluxDB could not hold such a name
    :raises ConfigurationError: when a filter keeps nothing
    """
    stages = [
        f"from(bucket: {literals.string(validate_name('bucket', source.bucket))})",
        f"  |> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        measurement_filter(source.measurement),
    ]
    if source.tags:
        stages.append(tag_filter(source.tags))
    if source.fields is not None:
        stages.append(_fields_filter(source.fields))
    return RawFlux("\n".join(stages))


@dataclass(frozen=True, slots=True)
class LastSeen(RowsQuery[dict[Series, datetime]]):
    """The time of the last point of each series, over its fields.

    ``last()`` is per storage series, not per group: a group would collide where fields differ in type.

    :param group_by: tag keys to keep; None keeps all
    """

    source: SeriesSource
    interval: Interval
    group_by: Sequence[str] | None = None

    @property
    def keeps_bytes(self) -> bool:
        return True

    def flux(self) -> str:
        if self.group_by is None:
            columns = 'drop(columns: ["_start", "_stop", "_value", "_field", "_measurement"])'
        else:
            kept = ["_time", *(validate_name("tag", key) for key in self.group_by)]
            columns = f"keep(columns: {literals.strings(kept)})"
        return f"{source_chain(self.source, self.interval)}\n  |> last()\n  |> {columns}\n  |> group()"

    def read(self, rows: Sequence[Row]) -> dict[Series, datetime]:
        latest: dict[Series, datetime] = {}
        for row in rows:
            series, time = series_of(row), row["_time"]
            if series not in latest or latest[series] < time:
                latest[series] = time
        return latest


@dataclass(frozen=True, slots=True)
class Watermark(RowsQuery["datetime | None"]):
    """The time of the last point of all; None when there is none."""

    source: SeriesSource
    interval: Interval

    def flux(self) -> str:
        return (
            f"{source_chain(self.source, self.interval)}\n"
            '  |> last()\n  |> keep(columns: ["_time"])\n  |> group()\n  |> max(column: "_time")'
        )

    def read(self, rows: Sequence[Row]) -> datetime | None:
        return max((row["_time"] for row in rows), default=None)


def _fields_filter(fields: Sequence[str]) -> RawFlux:
    """Exact names as a plain filter, globs as regular expressions; both are pushed down."""
    if fields and not any(is_glob(name) or name.startswith("!") for name in fields):
        return field_filter(fields)
    chosen = "" if not fields or fields[0].startswith("!") else "false"
    for name in fields:
        pattern = literals.regex(literals.glob_pattern(name.removeprefix("!")))
        if name.startswith("!"):
            term = f"r._field !~ {pattern}"
            chosen = f"({chosen}) and {term}" if chosen else term
        else:
            term = f"r._field =~ {pattern}"
            chosen = term if chosen in ("", "false") else f"({chosen}) or {term}"
    return RawFlux(f"  |> filter(fn: (r) => {chosen or 'true'})")
