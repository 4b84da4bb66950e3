"""Queries over a whole ledger: narrow reads of receipts and of the history."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.ledger_read import PIVOT
from airflow_provider_influx_rollup.windows.interval import Interval

COVERAGE_FIELDS = ("state", "stop_ns", "spec_hash", "rows_in", "rows_out", "written_at_ns")
BLOCK_FIELDS = ("state", "rows_in", "rows_out", "seconds", "run_id", "task_id", "try_number", "spec_hash")


def coverage_query(ledger_bucket: str, pipeline: str, stage: str, interval: Interval) -> str:
    """What coverage needs of the receipts whose windows start in an interval, one row per window."""
    return _read(ledger_bucket, interval, "window_receipt", _named(pipeline, stage), COVERAGE_FIELDS)


def blocks_query(
    ledger_bucket: str, stage: str, written: Interval, *, pipeline: str | None, most_events: int
) -> str:
    """The newest events that were written in an interval, with what a block of windows took.

    :param written: by the clock of the workers
    :param pipeline: None takes all pipelines
    :param most_events: of each pipeline
    """
    return _read(
        ledger_bucket, written, "window_event", _named(pipeline, stage), BLOCK_FIELDS, newest=most_events
    )


def events_query(ledger_bucket: str, pipeline: str, stage: str, written: Interval, windows: Interval) -> str:
    """The history of the windows that start in an interval, one row per change.

    :param written: by the clock of the workers
    :param windows: in which the windows start
    """
    query = _read(ledger_bucket, written, "window_event", _named(pipeline, stage), ())
    inside = f"r.window_start_ns >= {windows.start_ns} and r.window_start_ns < {windows.stop_ns}"
    return f"{query}\n  |> filter(fn: (r) => {inside})"


def unfinished_query(ledger_bucket: str, starts: Interval) -> str:
    """The receipts that are WRITING, whose windows start in an interval, one row per window."""
    query = _read(ledger_bucket, starts, "window_receipt", "", ("state", "written_at_ns", "stop_ns"))
    return f'{query}\n  |> filter(fn: (r) => r.state == "WRITING")'


def spec_counts_query(ledger_bucket: str, starts: Interval) -> str:
    """How many receipts each pipeline has of each spec, by the windows that start in an interval."""
    return "\n  ".join(
        [
            *_source(ledger_bucket, starts, "window_receipt", ""),
            '|> filter(fn: (r) => r._field == "spec_hash")',
            '|> duplicate(column: "_value", as: "spec_hash")',
            '|> group(columns: ["pipeline", "stage", "spec_hash"])',
            "|> count()",
        ]
    )


def _named(pipeline: str | None, stage: str) -> str:
    named = f"r.stage == {literals.string(stage)}"
    return named if pipeline is None else f"r.pipeline == {literals.string(pipeline)} and {named}"


def _source(ledger_bucket: str, interval: Interval, measurement: str, named: str) -> list[str]:
    lines = [
        f"from(bucket: {literals.string(ledger_bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        f"|> filter(fn: (r) => r._measurement == {literals.string(measurement)})",
    ]
    return [*lines, f"|> filter(fn: (r) => {named})"] if named else lines


def _read(
    ledger_bucket: str,
    interval: Interval,
    measurement: str,
    named: str,
    fields: Iterable[str],
    *,
    newest: int | None = None,
) -> str:
    lines = _source(ledger_bucket, interval, measurement, named)
    chosen = " or ".join(f"r._field == {literals.string(field)}" for field in fields)
    if chosen:
        lines.append(f"|> filter(fn: (r) => {chosen})")
    if newest is not None:
        lines.append(f"|> tail(n: {newest})")
    return "\n  ".join([*lines, '|> drop(columns: ["_start", "_stop"])', PIVOT])
