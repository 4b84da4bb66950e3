"""Queries over the statuses that a check wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.step import Answer

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row
    from airflow_provider_influx_rollup.windows.interval import Interval

STATUS_MEASUREMENT = "statuses"
# one field that every status has: one row per status instead of one per field
STATUS_FIELD = "_source_timestamp"
STATUS_TAGS = frozenset({"_check_id", "_check_name", "_level", "_source_measurement", "_type"})


@dataclass(frozen=True, slots=True)
class WrittenStatus:
    """A status of a series."""

    series: Series
    level: str
    time: datetime


@dataclass(frozen=True, slots=True)
class _StatusQuery(RowsQuery[Answer]):
    """Statuses of a check, in an interval of status times.

    :param check_id: the 16 hex digits of the check
    """

    status_bucket: str
    check_id: str
    interval: Interval

    def last_of_each(self) -> list[str]:
        """Flux of the last status of each series and level."""
        interval = self.interval
        return [
            f"from(bucket: {literals.string(validate_name('bucket', self.status_bucket))})",
            f"  |> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
            f"  |> filter(fn: (r) => r._measurement == {literals.string(STATUS_MEASUREMENT)})",
            f"  |> filter(fn: (r) => r._check_id == {literals.string(self.check_id)})",
            f"  |> filter(fn: (r) => r._field == {literals.string(STATUS_FIELD)})",
            "  |> last()",
        ]


class LastStatuses(_StatusQuery[list[WrittenStatus]]):
    """The last status of each series and level."""

    __slots__ = ()

    def flux(self) -> str:
        dropped = '  |> drop(columns: ["_start", "_stop", "_value", "_field", "_measurement"])'
        return "\n".join([*self.last_of_each(), dropped, "  |> group()"])

    def read(self, rows: Sequence[Row]) -> list[WrittenStatus]:
        return [WrittenStatus(_series(row), str(row["_level"]), row["_time"]) for row in rows]


class NewestStatus(_StatusQuery["datetime | None"]):
    """The time of the last status; None when there is none."""

    __slots__ = ()

    def flux(self) -> str:
        newest = ['  |> keep(columns: ["_time"])', "  |> group()", '  |> max(column: "_time")']
        return "\n".join([*self.last_of_each(), *newest])

    def read(self, rows: Sequence[Row]) -> datetime | None:
        return max((row["_time"] for row in rows), default=None)


def _series(row: Row) -> Series:
    tags = {key: row[key] for key in row if key not in STATUS_TAGS and key != "_time"}
    return tuple(sorted((key, str(value)) for key, value in tags.items() if value))
