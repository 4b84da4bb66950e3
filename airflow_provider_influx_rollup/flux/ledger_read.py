"""Queries that read the ledger bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'


def together(queries: Mapping[str, str]) -> str:
    """Several queries as one script: for answers as small as a ledger's, most of the time goes to each request.

    :param queries: by the name that the rows have as ``result``
    """
    return "\n\n".join(f'{query}\n  |> yield(name: "{name}")' for name, query in queries.items())


def receipts_query(ledger_bucket: str, pipeline: str, stage: str, interval: Interval) -> str:
    """Receipts of a pipeline whose windows start in an interval, one row per window."""
    return "\n  ".join(
        [
            f"from(bucket: {literals.string(ledger_bucket)})",
            f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
            '|> filter(fn: (r) => r._measurement == "window_receipt")',
            f"|> filter(fn: (r) => r.pipeline == {literals.string(pipeline)} and r.stage == {literals.string(stage)})",
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )


def survivors_query(ledger_bucket: str, pipeline: str, interval: Interval) -> str:
    """What a pipeline put aside before deletes, at windows that start in an interval, one row per part."""
    return "\n  ".join(
        [
            f"from(bucket: {literals.string(ledger_bucket)})",
            f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
            '|> filter(fn: (r) => r._measurement == "ghost_survivors")',
            f"|> filter(fn: (r) => r.pipeline == {literals.string(pipeline)})",
            '|> drop(columns: ["_start", "_stop"])',
        ]
    )


def specs_query(ledger_bucket: str) -> str:
    """Every pipeline spec of a ledger, one row per pipeline and hash."""
    return "\n  ".join(
        [
            f"from(bucket: {literals.string(ledger_bucket)})",
            "|> range(start: 1970-01-01T00:00:00Z, stop: 1970-01-01T00:00:01Z)",
            '|> filter(fn: (r) => r._measurement == "pipeline_spec")',
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )


def folders_query(ledger_bucket: str) -> str:
    """The folders of all archives, one row for each bucket."""
    return "\n  ".join(
        [
            f"from(bucket: {literals.string(ledger_bucket)})",
            "|> range(start: 1970-01-01T00:00:00Z, stop: 1970-01-01T00:00:01Z)",
            '|> filter(fn: (r) => r._measurement == "archive_folder")',
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )


def states_query(ledger_bucket: str, pipeline: str, stage: str, interval: Interval) -> str:
    """State, stop, spec and time of each receipt of windows that start in an interval, and no more than that."""
    names = ("state", "stop_ns", "spec_hash", "written_at_ns")
    return "\n  ".join(_receipt_fields(ledger_bucket, pipeline, stage, interval, names))


def neighbours_query(ledger_bucket: str, pipelines: Sequence[str], stage: str, interval: Interval) -> str:
    """Receipts of some pipelines whose windows start in an interval, one row per window."""
    names = " or ".join(f"r.pipeline == {literals.string(name)}" for name in pipelines)
    return "\n  ".join(
        [
            f"from(bucket: {literals.string(ledger_bucket)})",
            f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
            '|> filter(fn: (r) => r._measurement == "window_receipt")',
            f"|> filter(fn: (r) => r.stage == {literals.string(stage)})",
            f"|> filter(fn: (r) => {names})",
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )


def writing_query(ledger_bucket: str, pipeline: str, stage: str, interval: Interval) -> str:
    """The receipts of windows that start in an interval and are being written, most often none: when, until when, by whom."""
    names = ("state", "stop_ns", "written_at_ns", "run_id")
    lines = _receipt_fields(ledger_bucket, pipeline, stage, interval, names)
    return "\n  ".join([*lines, '|> filter(fn: (r) => r.state == "WRITING")'])


def _receipt_fields(
    ledger_bucket: str, pipeline: str, stage: str, interval: Interval, names: Sequence[str]
) -> list[str]:
    """Some fields of each receipt of windows that start in an interval, one row per window."""
    return [
        f"from(bucket: {literals.string(ledger_bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        '|> filter(fn: (r) => r._measurement == "window_receipt")',
        f"|> filter(fn: (r) => r.pipeline == {literals.string(pipeline)} and r.stage == {literals.string(stage)})",
        "|> filter(fn: (r) => " + " or ".join(f'r._field == "{name}"' for name in names) + ")",
        '|> drop(columns: ["_start", "_stop"])',
        PIVOT,
    ]


def look_query(ledger_bucket: str, watch: str, interval: Interval) -> str:
    """The record of the last looks at an interval of a watch, at most one row."""
    stop = interval.start + MICROSECOND
    return "\n  ".join(
        [
            f"from(bucket: {literals.string(ledger_bucket)})",
            f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(stop)})",
            '|> filter(fn: (r) => r._measurement == "window_look")',
            f"|> filter(fn: (r) => r.watch == {literals.string(watch)})",
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )
