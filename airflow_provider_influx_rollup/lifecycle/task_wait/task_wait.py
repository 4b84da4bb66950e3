"""Wait until a task of InfluxDB has run with success for each window of an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.native_tasks.named import task_of_name
from airflow_provider_influx_rollup.lifecycle.native_tasks.run_times import seconds_of
from airflow_provider_influx_rollup.lifecycle.native_tasks.windows import windows_of
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Sleep
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import SUCCESS, ListRuns, TaskRun
from airflow_provider_influx_rollup.windows.interval import Interval


def look_for_runs(name: str, interval: Interval) -> Steps[dict[str, Any] | None]:
    """Look once; None when a window has no run that succeeded.

    :raises TaskNotFound: when there is no such task
    :raises WindowMisaligned: when the task's windows do not tile the interval
    """
    task = yield from task_of_name(name)
    last = None
    windows = windows_of(task, interval)
    known: list[TaskRun] = []
    for window in windows:
        runs = yield from ask(ListRuns(task.id, window.stop))
        known += runs
        done = [run for run in runs if run.status == SUCCESS]
        if not done:
            status = f"its last run {runs[-1].status}" if runs else "it has not run"
            yield from ask(Report(f"{window}: task {name!r} has no success, {status}"))
            return None
        last = done[-1]
    return {
        "task": task.name,
        "task_id": task.id,
        "window": interval.as_json(),
        "windows": len(windows),
        "last_run_id": last.id if last else None,
        "status": SUCCESS,
        "runs": len(known),
        "errors": sum(run.has_failed for run in known),
        "run_seconds": seconds_of(known),
    }


def wait_for_runs(
    name: str, interval: Interval, now: Callable[[], datetime], *, poke_seconds: float, deadline: datetime
) -> Steps[dict[str, Any]]:
    """Poll until all are there; transient errors are reported, and the wait continues.

    :param now: the clock
    :param poke_seconds: how long between two looks
    :param deadline: when to give up, aware
    :return: as ``look_for_runs``; with ``status`` ``"timeout"`` when the deadline has passed
    """
    while True:
        try:
            found = yield from look_for_runs(name, interval)
        except InfluxRollupError as error:
            if error.permanent:
                raise
            yield from ask(Report(f"{interval}: cannot look, will try again: {error}", level="warning"))
            found = None
        if found is not None:
            return found
        left = (deadline - now()).total_seconds()
        if left <= 0:
            return {
                "task": name,
                "window": interval.as_json(),
                "status": "timeout",
                "deadline": deadline.isoformat(),
            }
        yield from ask(Sleep(min(poke_seconds, left)))


def steps_from_job(job: Mapping[str, Any], clock: Callable[[], datetime]) -> Steps[dict[str, Any]]:
    """The verb as a job of the triggerer.

    :param job: ``spec`` with ``name``, ``poke_seconds`` and ``deadline`` (RFC 3339), and ``intervals``, exactly one
    :param clock: aware time
    """
    (bounds,) = job["intervals"]
    spec = job["spec"]
    deadline = datetime.fromisoformat(spec["deadline"]).astimezone(UTC)
    return wait_for_runs(
        spec["name"], Interval.from_json(bounds), clock, poke_seconds=spec["poke_seconds"], deadline=deadline
    )
