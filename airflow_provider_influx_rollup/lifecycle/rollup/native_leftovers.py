"""Tasks that runs of a rollup have left in InfluxDB: found by the next run, and removed with what they computed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import InfluxRejected
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup.native_record import (
    ComputingRecord,
    computing_record_of,
    run_key,
    task_name,
)
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Sleep
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import (
    INACTIVE,
    CancelRun,
    DeleteTask,
    ListRuns,
    ListTasks,
    NativeTask,
    TaskRun,
    UpdateTask,
)

# a run that is alive reads what was computed some seconds after the end
LEFT_AFTER = timedelta(minutes=15)
FIRST_WAIT_SECONDS = 0.25
LOOKS_UNTIL_ENDED = 9
LOOKS_UNTIL_NONE = 4
# InfluxDB says that a run is canceled before it has stopped to write
SETTLE_SECONDS = 2.0
NO_RUNS: Sequence[TaskRun] = ()


def remove_leftovers(job: RollupBlock, book: ReceiptBook, now: Clock) -> Steps[None]:
    """Remove tasks whose rows no run will read.

    These are: those of an earlier try of this run; those of the block's windows, which this run has claimed since; and those of
    other windows that ended long ago, or never began.

    :param book: has the claim of the run
    """
    own = run_key(book.run)
    for task in (yield from ask(ListTasks(task_name(book.pipeline)))):
        record = computing_record_of(task)
        if record is None or (record.pipeline, record.ledger_bucket) != (book.pipeline, book.ledger_bucket):
            continue
        is_own = bool(own) and record.run == own
        is_overtaken = record.interval.overlaps(job.read_interval) and record.claim != book.claim_id
        if is_own or is_overtaken or (yield from _is_left(task, record, now())):
            yield from remove(task, record)


def remove_tasks_of(run: RunInfo) -> Steps[None]:
    """Remove the tasks of a run that is killed, of whatever pipeline."""
    own = run_key(run)
    for task in (yield from ask(ListTasks())) if own else ():
        record = computing_record_of(task)
        if record is not None and record.run == own:
            yield from remove(task, record)


def remove(task: NativeTask, record: ComputingRecord) -> Steps[bool]:
    """Remove a task and what it computed; False when a run of it does not end, and the next one has to.

    It is paused first: whoever reads its rows looks afterwards whether it still is as it was made.
    """
    try:
        yield from ask(UpdateTask(task.id, task.flux, INACTIVE, task.description))
    except InfluxRejected as error:
        if not is_gone(error):
            raise
    if not (yield from _end_runs(task)):
        yield from ask(
            Report(f"Task {task.id} of InfluxDB does not end; the next run removes it", level="warning")
        )
        return False
    yield from forget(record, [task])
    yield from ask(Report(f"Removed task {task.id} of InfluxDB, which computed for a run that has gone"))
    return True


def forget(record: ComputingRecord, tasks: Sequence[NativeTask]) -> Steps[None]:
    """Delete what a task has computed, then the task: so that nothing is left that no task tells of."""
    yield from ask(Delete(record.ledger_bucket, record.interval, record.measurement))
    for task in tasks:
        yield from ask(DeleteTask(task.id))


def _is_left(task: NativeTask, record: ComputingRecord, now: datetime) -> Steps[bool]:
    if now - record.made < LEFT_AFTER:
        return False
    runs = yield from _runs_of(task)
    ends = [run.finished_at or run.scheduled_for if run.has_ended else now for run in runs]
    return all(now - end > LEFT_AFTER for end in ends)


def _end_runs(task: NativeTask) -> Steps[bool]:
    """Cancel the runs of a task and wait until they have ended."""
    seconds, misses, is_canceled = FIRST_WAIT_SECONDS, 0, False
    for _ in range(LOOKS_UNTIL_ENDED):
        runs = yield from _runs_of(task)
        running = [run for run in runs if not run.has_ended]
        # a run that begins or ends is in no list for a moment
        misses = 0 if runs else misses + 1
        if misses == LOOKS_UNTIL_NONE or (runs and not running):
            if is_canceled:
                yield from ask(Sleep(SETTLE_SECONDS))
            return True
        for run in running:
            is_canceled = True
            yield from ask(CancelRun(task.id, run.id))
        yield from ask(Sleep(seconds))
        seconds *= 1.5
    return False


def _runs_of(task: NativeTask) -> Steps[Sequence[TaskRun]]:
    try:
        return (yield from ask(ListRuns(task.id)))
    except InfluxRejected as error:
        if not is_gone(error):
            raise
        return NO_RUNS


def is_gone(error: InfluxRejected) -> bool:
    """Whether InfluxDB refused because the task is not there any more, or is paused: somebody has removed it."""
    return error.http_status in (400, 404) and type(error) is InfluxRejected
