"""Run a task of InfluxDB for each window of an interval, and wait for the runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError, TaskRunFailed
from airflow_provider_influx_rollup.lifecycle.native_tasks.follow import (
    FIRST_WAIT_SECONDS,
    follow,
    refuse_failure,
)
from airflow_provider_influx_rollup.lifecycle.native_tasks.named import task_of_name
from airflow_provider_influx_rollup.lifecycle.native_tasks.run_times import seconds_of
from airflow_provider_influx_rollup.lifecycle.native_tasks.windows import due_at, windows_of
from airflow_provider_influx_rollup.lifecycle.task_run.spec import RunSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Progressed, Report, Sleep
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import (
    ACTIVE,
    CancelRun,
    ListRuns,
    NativeTask,
    RetryRun,
    StartRun,
    TaskRun,
)
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_LOSSES = 3
# together a second and more: a triggerer that begins again may come right after the run's end
LOOKS_FOR_OWN = 4


@dataclass(frozen=True, slots=True)
class RunResult:
    """The runs of an interval, in order."""

    task: NativeTask
    interval: Interval
    runs: tuple[TaskRun, ...]

    def as_json(self) -> dict[str, Any]:
        """The return value of the operator."""
        return {
            "task": self.task.name,
            "task_id": self.task.id,
            "window": self.interval.as_json(),
            "windows": len(self.runs),
            "last_run_id": self.runs[-1].id,
            "status": self.runs[-1].status,
            "seconds": round(sum(run.seconds or 0.0 for run in self.runs), 3),
            "run_seconds": seconds_of(self.runs),
        }


def run_task(spec: RunSpec, interval: Interval, now: Callable[[], datetime]) -> Steps[RunResult]:
    """Run the task for each window, one after another, each with ``now()`` at the window's stop.

    A run of the same window that is under way is waited for first. A run that InfluxDB has lost is asked for again.

    :param now: the clock
    :raises TaskNotFound: when there is no such task
    :raises ConfigurationError: when it is paused: InfluxDB runs active tasks only
    :raises WindowMisaligned: when the task's windows do not tile the interval
    :raises TaskRunFailed: when a run ended without success
    """
    task = yield from task_of_name(spec.name)
    windows = windows_of(task, interval)
    if task.status != ACTIVE:
        what = f"task {task.name!r} is {task.status}, and InfluxDB runs active tasks only"
        raise ConfigurationError(
            what, window=interval, written="nothing", fix="deploy it with state='active'"
        )
    runs: list[TaskRun] = []
    looks = LOOKS_FOR_OWN
    for number, window in enumerate(windows):
        yield from ask(Progressed(message="windows run", done=number, total=len(windows)))
        wait = (due_at(task, window) - now()).total_seconds()
        if wait > 0:
            yield from ask(Report(f"{window}: waits {wait:.0f} s for its stop and the task's offset"))
            yield from ask(Sleep(wait))
        known = yield from _known_runs(task, spec, window, looks)
        if not any(spec.is_own(run) for run in known):
            # windows are run in order: an earlier start of this try has asked for no later one
            looks = 1
        runs.append((yield from _run_window(task, spec, window, known)))
    return RunResult(task, interval, tuple(runs))


def cancel_runs(spec: RunSpec, interval: Interval) -> Steps[int]:
    """Cancel the runs of this try that have not ended; return how many."""
    task = yield from task_of_name(spec.name)
    canceled = 0
    for window in windows_of(task, interval):
        for run in (yield from ask(ListRuns(task.id, window.stop))):
            if spec.is_own(run) and not run.has_ended:
                yield from ask(CancelRun(task.id, run.id))
                yield from ask(Report(f"{window}: run {run.id} of task {task.name!r} is canceled"))
                canceled += 1
    return canceled


def _known_runs(task: NativeTask, spec: RunSpec, window: Interval, looks: int) -> Steps[list[TaskRun]]:
    """The runs of a window that InfluxDB lists.

    :param looks: how often to look for one of this try: a run that has just ended is in no list for a moment
    """
    seconds = FIRST_WAIT_SECONDS
    runs = yield from ask(ListRuns(task.id, window.stop))
    for _ in range(looks - 1):
        if any(spec.is_own(run) for run in runs):
            break
        yield from ask(Sleep(seconds))
        seconds *= 1.5
        runs = yield from ask(ListRuns(task.id, window.stop))
    return runs


def _run_window(task: NativeTask, spec: RunSpec, window: Interval, known: list[TaskRun]) -> Steps[TaskRun]:
    for _ in range(MAX_LOSSES):
        run = yield from _own_run(task, spec, window, known)
        ended = yield from follow(task, run, window)
        if ended is not None:
            refuse_failure(task, ended, window)
            return ended
        yield from ask(
            Report(
                f"{window}: InfluxDB has lost run {run.id} of task {task.name!r}; it is asked for again",
                "warning",
            )
        )
        known = yield from _known_runs(task, spec, window, looks=1)
    what = f"InfluxDB has lost {MAX_LOSSES} runs of task {task.name!r}"
    fix = "look at InfluxDB's log, and whether its bucket _tasks is there"
    raise TaskRunFailed(what, window=window, written="unknown", fix=fix)


def _own_run(task: NativeTask, spec: RunSpec, window: Interval, runs: list[TaskRun]) -> Steps[TaskRun]:
    """The run that this try has asked for already, or asks for now.

    :param runs: those that InfluxDB lists
    """
    own = [run for run in runs if spec.is_own(run)]
    if own:
        return own[-1]
    for other in _under_way(runs):
        yield from ask(
            Report(f"{window}: run {other.id} of task {task.name!r} is under way, and waited for first")
        )
        yield from follow(task, other, window)
    if spec.is_retry and runs and runs[-1].has_failed:
        run = yield from ask(RetryRun(task.id, runs[-1].id))
        yield from ask(
            Report(f"{window}: run {runs[-1].id} {runs[-1].status}; InfluxDB is asked for it again: {run.id}")
        )
        return run
    run = yield from ask(StartRun(task.id, window.stop))
    yield from ask(Report(f"{window}: run {run.id} of task {task.name!r}"))
    return run


def _under_way(runs: list[TaskRun]) -> Iterator[TaskRun]:
    return (run for run in runs if not run.has_ended)


def steps_from_job(job: Mapping[str, Any], clock: Callable[[], datetime]) -> Steps[RunResult]:
    """The verb as a job of the triggerer.

    :param job: ``spec`` as JSON and ``intervals``, exactly one
    :param clock: aware time
    """
    (bounds,) = job["intervals"]
    return run_task(RunSpec.from_json(job["spec"]), Interval.from_json(bounds), clock)
