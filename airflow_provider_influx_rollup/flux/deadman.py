"""Queries over the statuses that a check wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.names import validate_name

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.interval import Interval

STATUS_MEASUREMENT = "statuses"
# one field that every status has: one row per status instead of one per field
STATUS_FIELD = "_source_timestamp"


def last_statuses_query(status_bucket: str, check_id: str, interval: Interval) -> str:
    """Return the last status of each series and level of a check, in an interval of status times.

    :param check_id: the 16 hex digits of the check
    """
    dropped = '  |> drop(columns: ["_start", "_stop", "_value", "_field", "_measurement"])'
    return "\n".join([*_last_of_each(status_bucket, check_id, interval), dropped, "  |> group()"])


def newest_status_query(status_bucket: str, check_id: str, interval: Interval) -> str:
    """At most one row: the time of the last status of a check, in an interval of status times.

    :param check_id: the 16 hex digits of the check
    """
    newest = ['  |> keep(columns: ["_time"])', "  |> group()", '  |> max(column: "_time")']
    return "\n".join([*_last_of_each(status_bucket, check_id, interval), *newest])


def _last_of_each(status_bucket: str, check_id: str, interval: Interval) -> list[str]:
    return [
        f"from(bucket: {literals.string(validate_name('bucket', status_bucket))})",
        f"  |> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        f"  |> filter(fn: (r) => r._measurement == {literals.string(STATUS_MEASUREMENT)})",
        f"  |> filter(fn: (r) => r._check_id == {literals.string(check_id)})",
        f"  |> filter(fn: (r) => r._field == {literals.string(STATUS_FIELD)})",
        "  |> last()",
    ]
