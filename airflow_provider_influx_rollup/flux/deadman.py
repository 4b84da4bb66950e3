"""Queries over the statuses that a check wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.step import Answer

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row
    from airflow_provider_influx_rollup.ledger.line_protocol import FieldValue
    from airflow_provider_influx_rollup.windows.interval import Interval

STATUS_MEASUREMENT = "statuses"
# one field that every status has: one row per status instead of one per field
STATUS_FIELD = "_source_timestamp"
# who checked; only statuses of a task of Airflow have it
CHECKED_BY = "_checked_by"
STATUS_TAGS = frozenset({"_check_id", "_check_name", "_level", "_source_measurement", "_type"})
ROW_COLUMNS = frozenset({"_time", "_field", "_value"})


@dataclass(frozen=True, slots=True)
class WrittenStatus:
    """A status of a series.

    :param checked_by: the number of the task that wrote it; None when that is not known
    """

    series: Series
    level: str
    time: datetime
    checked_by: int | None = None


@dataclass(frozen=True, slots=True)
class WholeStatus:
    """A status with all its tags and fields, so that it can be written again.

    :param fields: by name; more than one process may have written them
    """

    tags: Series
    time: datetime
    fields: Mapping[str, FieldValue]

    @property
    def told(self) -> WrittenStatus:
        """What it says."""
        tags = dict(self.tags)
        checked_by = self.fields.get(CHECKED_BY)
        number = checked_by if isinstance(checked_by, int) else None
        return WrittenStatus(_series(tags), tags["_level"], self.time, number)


@dataclass(frozen=True, slots=True)
class _StatusQuery(RowsQuery[Answer]):
    """Statuses of a check, in an interval of status times.

    :param check_id: the 16 hex digits of the check
    """

    status_bucket: str
    check_id: str
    interval: Interval

    def of_check(self) -> list[str]:
        """Flux of all fields of the check's statuses."""
        interval = self.interval
        return [
            f"from(bucket: {literals.string(validate_name('bucket', self.status_bucket))})",
            f"  |> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
            f"  |> filter(fn: (r) => r._measurement == {literals.string(STATUS_MEASUREMENT)})",
            f"  |> filter(fn: (r) => r._check_id == {literals.string(self.check_id)})",
        ]

    def last_of_each(self, *more: str) -> list[str]:
        """Flux of the last status of each series and level.

        :param more: fields that are wanted too
        """
        fields = " or ".join(f"r._field == {literals.string(name)}" for name in (STATUS_FIELD, *more))
        return [*self.of_check(), f"  |> filter(fn: (r) => {fields})", "  |> last()"]


class LastStatuses(_StatusQuery[list[WrittenStatus]]):
    """The last status of each series and level."""

    __slots__ = ()

    def flux(self) -> str:
        dropped = '  |> drop(columns: ["_start", "_stop", "_measurement"])'
        return "\n".join([*self.last_of_each(CHECKED_BY), dropped, "  |> group()"])

    def read(self, rows: Sequence[Row]) -> list[WrittenStatus]:
        found: dict[str, dict[tuple[Series, str, datetime], int]] = {STATUS_FIELD: {}, CHECKED_BY: {}}
        for row in rows:
            found[row["_field"]][_series(row), str(row["_level"]), row["_time"]] = row["_value"]
        return [WrittenStatus(*place, found[CHECKED_BY].get(place)) for place in found[STATUS_FIELD]]


class WholeStatuses(_StatusQuery[list[WholeStatus]]):
    """Every status with all its fields."""

    __slots__ = ()

    def flux(self) -> str:
        # fields of several types: one table each
        return "\n".join([*self.of_check(), '  |> drop(columns: ["_start", "_stop", "_measurement"])'])

    def read(self, rows: Sequence[Row]) -> list[WholeStatus]:
        found: dict[tuple[Series, datetime], dict[str, FieldValue]] = {}
        for row in rows:
            tags = ((key, str(row[key])) for key in row if key not in ROW_COLUMNS and row[key])
            found.setdefault((tuple(sorted(tags)), row["_time"]), {})[row["_field"]] = row["_value"]
        return [WholeStatus(*place, fields) for place, fields in found.items()]


class NewestStatus(_StatusQuery["datetime | None"]):
    """The time of the last status; None when there is none."""

    __slots__ = ()

    def flux(self) -> str:
        newest = ['  |> keep(columns: ["_time"])', "  |> group()", '  |> max(column: "_time")']
        return "\n".join([*self.last_of_each(), *newest])

    def read(self, rows: Sequence[Row]) -> datetime | None:
        return max((row["_time"] for row in rows), default=None)


def _series(row: Mapping[str, Any]) -> Series:
    tags = {key: row[key] for key in row if key not in STATUS_TAGS | ROW_COLUMNS}
    return tuple(sorted((key, str(value)) for key, value in tags.items() if value))
