"""Records of a ledger: what all queries of them begin and most of them end with."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

UNBOUNDED = '|> drop(columns: ["_start", "_stop"])'
PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
#: as ``ledger/codec.py`` decodes it: a run that had lost the window committed it
IS_WRITING = (
    '|> filter(fn: (r) => r.state == "WRITING" or '
    "(exists r.claimed_by and exists r.committed_by and string(v: r.claimed_by) != string(v: r.committed_by)))"
)
#: where records are that are about no window
FIXED = Interval(EPOCH, EPOCH.replace(second=1))


def records_of(ledger_bucket: str, interval: Interval, measurement: str, *conditions: str) -> list[str]:
    """``from |> range |> filter``.

    :param interval: of the records' times
    :param conditions: each a filter of its own
    """
    return [
        f"from(bucket: {literals.string(ledger_bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        f"|> filter(fn: (r) => r._measurement == {literals.string(measurement)})",
        *(f"|> filter(fn: (r) => {condition})" for condition in conditions),
    ]


def pivoted(ledger_bucket: str, interval: Interval, measurement: str, *conditions: str) -> str:
    """One row for each record, likewise."""
    return chain(*records_of(ledger_bucket, interval, measurement, *conditions), UNBOUNDED, PIVOT)


def is_any(column: str, names: Iterable[str]) -> str:
    """A condition: the column is one of some names."""
    return " or ".join(f"r.{column} == {literals.string(name)}" for name in names)


def is_of(pipeline: str, stage: str) -> str:
    """A condition: the record is of a pipeline's stage."""
    return f"{is_any('pipeline', [pipeline])} and {is_any('stage', [stage])}"


def chain(*lines: str) -> str:
    """Lines as one pipeline."""
    return "\n  ".join(lines)
