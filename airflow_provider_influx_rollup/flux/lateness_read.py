"""Queries of a lateness report: the records of late points, first commits, points of each window and tag group."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval

PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'


def lateness_query(ledger_bucket: str, pipeline: str, interval: Interval) -> str:
    """Records of late points in windows that start in an interval, one row per repair of a window."""
    return "\n  ".join(
        [
            *_ledger_rows(ledger_bucket, interval.start, interval.stop, "lateness"),
            f"|> filter(fn: (r) => r.pipeline == {literals.string(pipeline)})",
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
        ]
    )


def checks_query(ledger_bucket: str, pipeline: str, since: datetime, until: datetime) -> str:
    """Looks that found windows right, one row each.

    :param since: a wall clock time before which nothing was looked at
    :param until: the wall clock time now
    """
    return "\n  ".join(
        [
            *_ledger_rows(ledger_bucket, since, until, "lateness_check"),
            f"|> filter(fn: (r) => r.pipeline == {literals.string(pipeline)})",
            '|> drop(columns: ["_start", "_stop"])',
        ]
    )


def first_commits_query(
    ledger_bucket: str, pipeline: str, stage: str, since: datetime, until: datetime
) -> str:
    """Events of the first generation, one row each: a window's first one is its first commit.

    :param since: a wall clock time before which nothing was committed
    :param until: the wall clock time now
    """
    return "\n  ".join(
        [
            *_ledger_rows(ledger_bucket, since, until, "window_event"),
            f"|> filter(fn: (r) => r.pipeline == {literals.string(pipeline)} and r.stage == {literals.string(stage)})",
            '|> filter(fn: (r) => r._field == "generation" or r._field == "window_start_ns")',
            '|> drop(columns: ["_start", "_stop"])',
            PIVOT,
            "|> filter(fn: (r) => r.generation == 1)",
        ]
    )


def group_counts_query(source: RollupSource, runs: Sequence[EqualRun], tag_keys: Sequence[str]) -> str:
    """Points of each field, window and group of tags; ``_time`` is the window's start."""
    columns = ", ".join(literals.string(name) for name in (*tag_keys, "_field", "_time"))
    return "\n\n".join(
        f"{render_source(source, run.interval)}\n"
        f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, "
        'fn: count, createEmpty: false, timeSrc: "_start")\n'
        f"  |> group(columns: [{columns}])\n"
        "  |> sum()\n"
        "  |> group()\n"
        f'  |> yield(name: "{index}")'
        for index, run in enumerate(runs)
    )


def _ledger_rows(ledger_bucket: str, start: datetime, stop: datetime, measurement: str) -> list[str]:
    return [
        f"from(bucket: {literals.string(ledger_bucket)})",
        f"|> range(start: {literals.time(start)}, stop: {literals.time(stop)})",
        f"|> filter(fn: (r) => r._measurement == {literals.string(measurement)})",
    ]
