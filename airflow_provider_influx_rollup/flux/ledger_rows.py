"""Records of a ledger: what all queries of them begin and most of them end with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

UNBOUNDED = '|> drop(columns: ["_start", "_stop"])'
PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
#: where records are that are about no window
FIXED = Interval(EPOCH, EPOCH.replace(second=1))


def records_of(
    ledger_bucket: str, start: datetime, stop: datetime, measurement: str, *tags: str
) -> list[str]:
    """``from |> range |> filter``.

    :param start: of the records' times, likewise ``stop``
    :param tags: conditions, each a filter of its own
    """
    return [
        f"from(bucket: {literals.string(ledger_bucket)})",
        f"|> range(start: {literals.time(start)}, stop: {literals.time(stop)})",
        f"|> filter(fn: (r) => r._measurement == {literals.string(measurement)})",
        *(f"|> filter(fn: (r) => {condition})" for condition in tags),
    ]


def is_any(column: str, names: Iterable[str]) -> str:
    """A condition: the column is one of some names."""
    return " or ".join(f"r.{column} == {literals.string(name)}" for name in names)


def is_of(pipeline: str, stage: str) -> str:
    """A condition: the record is of a pipeline's stage."""
    return f"{is_any('pipeline', [pipeline])} and {is_any('stage', [stage])}"


def chain(*lines: str) -> str:
    """Lines as one pipeline."""
    return "\n  ".join(lines)
