"""Follow a run of a task to its end, and report its log as it comes."""

from __future__ import annotations

from airflow_provider_influx_rollup.exceptions import TaskRunFailed
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Sleep
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import FindRun, LogLine, NativeTask, TaskRun
from airflow_provider_influx_rollup.windows.interval import Interval

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 5.0
# a run that ends moves from one store of InfluxDB to another, and is in neither for a moment
LOOKS_UNTIL_LOST = 6
SHOWN_CHARACTERS = 1000


def follow(task: NativeTask, run: TaskRun, window: Interval) -> Steps[TaskRun | None]:
    """Wait until a run has ended; return it as it ended, or None when InfluxDB has lost it."""
    told, misses, seconds = 0, 0, FIRST_WAIT_SECONDS
    while True:
        found = yield from ask(FindRun(task.id, run.id))
        misses = misses + 1 if found is None else 0
        if misses == LOOKS_UNTIL_LOST:
            return None
        if found is not None:
            told = yield from _tell(found, window, told)
            if found.has_ended:
                return (yield from _with_last_words(task, found, window, told))
        yield from ask(Sleep(seconds))
        seconds = min(seconds * 1.5, LONGEST_WAIT_SECONDS)


def _with_last_words(task: NativeTask, run: TaskRun, window: Interval, told: int) -> Steps[TaskRun]:
    """Look once more: the reason of a failure is logged after the run has ended."""
    if not run.has_failed:
        return run
    yield from ask(Sleep(FIRST_WAIT_SECONDS))
    again = yield from ask(FindRun(task.id, run.id))
    if again is None or not again.has_ended:
        return run
    yield from _tell(again, window, told)
    return again


def _tell(run: TaskRun, window: Interval, told: int) -> Steps[int]:
    """Report the lines that are new; return how many there are."""
    for line in run.log[told:]:
        level = "warning" if _is_trouble(line) else "info"
        yield from ask(Report(f"{window}: {line.time} {_shown(line)}", level=level))
    return max(told, len(run.log))


def _is_trouble(line: LogLine) -> bool:
    """Whether a line is a reason: all others are InfluxDB's two words on a run's beginning and end."""
    return not line.message.startswith(("Started task", "Completed("))


def _shown(line: LogLine) -> str:
    text = line.message
    # InfluxDB repeats the whole script
    if text.startswith("Started task from script"):
        return "Started"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} [...]"


def reason_of(run: TaskRun) -> str:
    """The first line of a run's log that tells a reason; empty when there is none."""
    return next((line.message[:SHOWN_CHARACTERS] for line in run.log if _is_trouble(line)), "")


def refuse_failure(task: NativeTask, run: TaskRun, window: Interval) -> None:
    """Refuse a run that ended without success.

    :raises TaskRunFailed: with the last line of its log that tells a reason
    """
    if not run.has_failed:
        return
    reason = f": {reason_of(run)}" if reason_of(run) else ""
    what = f"run {run.id} of task {task.name!r} ended as {run.status}{reason}"
    raise TaskRunFailed(
        what,
        window=window,
        written="what the script wrote before it ended",
        fix="correct what its log says; the next try asks InfluxDB for the run again",
    )
