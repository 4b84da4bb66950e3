"""Queries of the ledger's records of purged windows."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

# of 64 bits of nanoseconds
BEGIN, END = "1677-09-21T00:12:44Z", "2262-04-11T23:47:16Z"
PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'


def overlapping_marks_query(ledger_bucket: str, measurement: str | None, interval: Interval) -> str:
    """Starts of the records that overlap an interval; the storage engine finds them, and most often there are none.

    Those of all buckets: which of them is meant is known by its id, which a query cannot ask for by the name.

    :param measurement: None: all
    """
    return "\n  ".join(
        [
            *_marks(ledger_bucket, measurement, BEGIN, literals.time(interval.stop)),
            f'|> filter(fn: (r) => r._field == "stop_ns" and r._value > {interval.start_ns})',
            '|> keep(columns: ["_time", "_value"])',
        ]
    )


def marks_query(ledger_bucket: str, measurement: str | None, first: datetime, last: datetime) -> str:
    """Records of windows that start between two instants, both included, one row each.

    :param measurement: None: all
    """
    stop = literals.time(last + MICROSECOND)
    return "\n  ".join(
        [
            *_marks(ledger_bucket, measurement, literals.time(first), stop),
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )


def named_marks_query(ledger_bucket: str, bucket: str) -> str:
    """All records of a bucket that has, or had, a name, one row each."""
    return "\n  ".join(
        [
            *_marks(ledger_bucket, None, BEGIN, END),
            f"|> filter(fn: (r) => r.bucket == {literals.string(bucket)})",
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )


def _marks(ledger_bucket: str, measurement: str | None, start: str, stop: str) -> list[str]:
    lines = [
        f"from(bucket: {literals.string(ledger_bucket)})",
        f"|> range(start: {start}, stop: {stop})",
        '|> filter(fn: (r) => r._measurement == "purged_window")',
    ]
    if measurement is not None:
        lines.append(f"|> filter(fn: (r) => r.measurement == {literals.string(measurement)})")
    return lines
