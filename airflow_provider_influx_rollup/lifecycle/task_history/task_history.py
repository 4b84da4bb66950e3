"""History of a task of InfluxDB in an interval: its runs, and the windows without a success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.lifecycle.native_tasks.follow import reason_of
from airflow_provider_influx_rollup.lifecycle.native_tasks.named import task_of_name
from airflow_provider_influx_rollup.lifecycle.native_tasks.run_times import MAX_LISTED, seconds_of
from airflow_provider_influx_rollup.lifecycle.native_tasks.runs import runs_in
from airflow_provider_influx_rollup.lifecycle.native_tasks.windows import due_at, grid_of
from airflow_provider_influx_rollup.lifecycle.rollup.native_record import computing_record_of
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import SUCCESS, ListTasks, NativeTask, TaskRun
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class TaskHistory:
    """Runs of a task, by the time that they were scheduled for.

    :param missed: windows that were due since the task was made, and have no success; empty for a task with a cron, whose
        windows are not known
    """

    task: NativeTask
    interval: Interval
    runs: tuple[TaskRun, ...]
    missed: tuple[Interval, ...]

    @property
    def failed(self) -> list[TaskRun]:
        """The runs that ended without success."""
        return [run for run in self.runs if run.has_failed]

    def as_json(self) -> dict[str, Any]:
        """Numbers, and the first of what is wrong."""
        return {
            "task": self.task.name,
            "task_id": self.task.id,
            "runs": len(self.runs),
            "errors": len(self.failed),
            "missed": len(self.missed),
            "reasons": [reason_of(run) for run in self.failed[:MAX_LISTED]],
            "missed_windows": [window.as_json() for window in self.missed[:MAX_LISTED]],
        }


@dataclass(frozen=True, slots=True)
class Histories:
    """Runs of several tasks."""

    interval: Interval
    each: tuple[TaskHistory, ...]

    def as_json(self) -> dict[str, Any]:
        """The return value of the operator."""
        runs = [run for one in self.each for run in one.runs]
        return {
            "window": self.interval.as_json(),
            "runs": len(runs),
            "errors": sum(len(one.failed) for one in self.each),
            "missed": sum(len(one.missed) for one in self.each),
            "run_seconds": seconds_of(runs),
            "tasks": [one.as_json() for one in self.each[:MAX_LISTED]],
        }


def histories(names: Sequence[str] | None, interval: Interval, now: datetime) -> Steps[Histories]:
    """Look at the runs of some tasks.

    :param names: None takes all that the token may read, but those that compute for a rollup
    :param now: what is due by then counts as missed
    :raises TaskNotFound: when there is none of a name
    """
    if names is None:
        tasks = [task for task in (yield from ask(ListTasks())) if computing_record_of(task) is None]
    else:
        tasks = []
        for name in names:
            tasks.append((yield from task_of_name(name)))
    each: tuple[TaskHistory, ...] = ()
    for task in tasks:
        each += ((yield from task_history(task, interval, now)),)
    return Histories(interval, each)


def task_history(task: NativeTask, interval: Interval, now: datetime) -> Steps[TaskHistory]:
    """Look at the runs that end the windows of an interval. InfluxDB forgets runs after three days.

    :param now: what is due by then counts as missed
    """
    runs = yield from runs_in(task, interval)
    done = {run.scheduled_for for run in runs if run.status == SUCCESS}
    made = task.created_at or interval.start
    missed = [
        window
        for window in _windows(task, interval)
        if made <= due_at(task, window) <= now and window.stop not in done
    ]
    return TaskHistory(task, interval, tuple(runs), tuple(missed))


def _windows(task: NativeTask, interval: Interval) -> list[Interval]:
    """The whole windows in an interval."""
    spec = grid_of(task)
    if spec is None:
        return []
    grid = spec.grid()
    start, stop = grid.ceil(interval.start), grid.floor(interval.stop)
    return grid.tile(Interval(start, stop)) if start < stop else []
