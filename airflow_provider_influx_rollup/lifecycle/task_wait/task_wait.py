"""Wait until a task of InfluxDB has run with success for each window of an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.native_tasks.named import task_of_name
from airflow_provider_influx_rollup.lifecycle.native_tasks.run_times import MAX_LISTED, seconds_of
from airflow_provider_influx_rollup.lifecycle.native_tasks.runs import runs_in
from airflow_provider_influx_rollup.lifecycle.native_tasks.windows import windows_of
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Sleep
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import SUCCESS, NativeTask, TaskRun
from airflow_provider_influx_rollup.windows.interval import Interval

WAITING = "waiting"
TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRuns:
    """What a look has found.

    :param runs: those that end a window, in order
    :param missed: the windows without a success
    """

    task: NativeTask
    interval: Interval
    windows: int
    runs: tuple[TaskRun, ...]
    missed: tuple[Interval, ...]

    def as_json(self) -> dict[str, Any]:
        """The sensor's return value, which with missed windows is only counted."""
        done = [run for run in self.runs if run.status == SUCCESS]
        return {
            "task": self.task.name,
            "task_id": self.task.id,
            "window": self.interval.as_json(),
            "windows": self.windows,
            "last_run_id": done[-1].id if done else None,
            "status": WAITING if self.missed else SUCCESS,
            "runs": len(self.runs),
            "errors": sum(run.has_failed for run in self.runs),
            "missed": len(self.missed),
            "missed_windows": [window.as_json() for window in self.missed[:MAX_LISTED]],
            "run_seconds": seconds_of(self.runs),
        }


def look_for_runs(name: str, interval: Interval) -> Steps[FoundRuns]:
    """Look once.

    :raises TaskNotFound: when there is no such task
    :raises WindowMisaligned: when the task's windows do not tile the interval
    """
    task = yield from task_of_name(name)
    windows = windows_of(task, interval)
    stops = {window.stop for window in windows}
    runs = tuple(run for run in (yield from runs_in(task, interval)) if run.scheduled_for in stops)
    done = {run.scheduled_for for run in runs if run.status == SUCCESS}
    missed = tuple(window for window in windows if window.stop not in done)
    for window in missed[:1]:
        tried = [run.status for run in runs if run.scheduled_for == window.stop]
        status = f"its last run {tried[-1]}" if tried else "it has not run"
        more = f"; {len(missed)} of {len(windows)} windows have none" if len(windows) > 1 else ""
        yield from ask(Report(f"{window}: task {name!r} has no success, {status}{more}"))
    return FoundRuns(task=task, interval=interval, windows=len(windows), runs=runs, missed=missed)


def wait_for_runs(
    name: str, interval: Interval, now: Callable[[], datetime], *, poke_seconds: float, deadline: datetime
) -> Steps[dict[str, Any]]:
    """Poll until all are there; transient errors are reported, and the wait continues.

    :param now: the clock
    :param poke_seconds: how long between two looks
    :param deadline: when to give up, aware
    :return: as ``FoundRuns.as_json``; with ``status`` ``"timeout"`` and what was seen last when the deadline has passed
    """
    seen: dict[str, Any] = {"window": interval.as_json()}
    while True:
        try:
            found = yield from look_for_runs(name, interval)
        except InfluxRollupError as error:
            if error.permanent:
                raise
            yield from ask(Report(f"{interval}: cannot look, will try again: {error}", level="warning"))
        else:
            seen = found.as_json()
            if not found.missed:
                return seen
        left = (deadline - now()).total_seconds()
        if left <= 0:
            return {**seen, "status": TIMEOUT, "deadline": deadline.isoformat()}
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
