"""Runs of a task for an interval: one for each of its windows, scheduled for the window's stop."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_influx_rollup.lifecycle.native_tasks.record import record_of, script_hash
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.steps.tasks import NativeTask
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval


def windows_of(task: NativeTask, interval: Interval) -> list[Interval]:
    """The windows of an interval, in order; an interval of a task with a cron is one window.

    :raises WindowMisaligned: when the task's windows do not tile the interval
    """
    spec = grid_of(task)
    return [interval] if spec is None else spec.grid().tile(interval)


def grid_of(task: NativeTask) -> GridSpec | None:
    """The windows of a task: those of its ``v``, else of its ``every``; None when a cron alone says when it runs."""
    record = record_of(task)
    if record is not None and record.script == script_hash(task.flux) and record.every:
        return GridSpec(record.every, timezone=record.timezone)
    return GridSpec(task.every) if task.every else None


def due_at(task: NativeTask, window: Interval) -> datetime:
    """Time at which the task's own schedule would run a window: its stop + the task's offset."""
    offset = Duration.parse(task.offset, allow_zero=True).timedelta if task.offset else timedelta(0)
    return window.stop + offset
