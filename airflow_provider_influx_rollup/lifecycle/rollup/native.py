"""Compute a block by runs of tasks of InfluxDB, without a connection that stays open.

A run puts its rows aside, under a name that no other run has, and this run writes them to the target as it writes what a query
has returned. So a run of InfluxDB that goes on after all others have forgotten it has nothing to spoil.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import (
    InfluxOverloaded,
    InfluxRejected,
    InfluxUnavailable,
    TaskRunFailed,
)
from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.flux.rollup import Chain
from airflow_provider_influx_rollup.flux.staged_rollup import StagedChains
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.native_tasks.follow import follow, reason_of
from airflow_provider_influx_rollup.lifecycle.rollup.chains import (
    COUNT,
    MAX_CHAINS_PER_QUERY,
    chains_of,
    rollup_scripts,
)
from airflow_provider_influx_rollup.lifecycle.rollup.native_leftovers import forget, is_gone, remove
from airflow_provider_influx_rollup.lifecycle.rollup.native_record import (
    ComputingRecord,
    run_key,
    task_name,
)
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.rejections import class_of_message
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import (
    ACTIVE,
    CANCELED,
    CreateTask,
    ListTasks,
    NativeTask,
    StartRun,
    TaskRun,
)
from airflow_provider_influx_rollup.windows.interval import Interval

STAGED = "rollup_computed"
MAX_LOSSES = 3
STDDEV = "stddev"

Answer = list[tuple[Chain, Frame]]


class OvertakenError(Exception):
    """Another run has claimed windows while InfluxDB computed them.

    :param windows: those
    """

    def __init__(self, windows: tuple[Interval, ...]) -> None:
        super().__init__(windows)
        self.windows = windows


@dataclass(slots=True, kw_only=True)
class NativeWay:
    """How one round of a block is computed.

    :param book: has the claim of the run
    :param round_number: tells the names of this round's rows from those of others
    :param made: how many tasks it has made
    """

    job: RollupBlock
    book: ReceiptBook
    now: Clock
    round_number: int
    made: int = 0

    def answer(self, script: RollupChains) -> Steps[Answer]:
        """What a script returns, computed by a run of a task.

        :raises OvertakenError: when another run has claimed windows of the block
        :raises TaskRunFailed: when InfluxDB has lost one run after another
        """
        if not _has_counts(script):
            return (yield from ask(script))
        for _ in range(MAX_LOSSES):
            answer = yield from self._attempt(script)
            if answer is not None:
                return answer
            claims = yield from ask(claims_of(self.book, self.job.windows))
            if taken := overtaken(self.book, self.job.windows, claims):
                raise OvertakenError(taken)
        what = f"InfluxDB has lost {MAX_LOSSES} runs that computed for {self.book.pipeline}"
        fix = "look at InfluxDB's log, and who deletes or pauses its tasks; then run it again"
        raise TaskRunFailed(what, window=self.job.span, fix=fix)

    def _attempt(self, script: RollupChains) -> Steps[Answer | None]:
        """One run of one task; None when it is lost."""
        self.made += 1
        record = self._record()
        staged = StagedChains(script, record.ledger_bucket, record.measurement)
        name = task_name(self.book.pipeline)
        task = yield from ask(CreateTask(staged.task_flux(name), ACTIVE, record.description()))
        yield from ask(Report(f"{self.job.span}: InfluxDB computes it, by task {task.id}"))
        ended = yield from self._run(task)
        answer = None
        if ended is not None and not ended.has_failed:
            answer = yield from ask(staged)
        # a request whose answer was lost was sent again, and has made a second one
        own = [one for one in (yield from ask(ListTasks(name))) if one.description == task.description]
        is_ours = any(one.id == task.id and one.status == ACTIVE for one in own)
        if ended is None or not is_ours or _is_lost(ended):
            yield from ask(Report(f"{self.job.span}: the run of task {task.id} is lost", level="warning"))
            for one in own:
                yield from remove(one, record)
            if not own:
                yield from forget(record, own)
            return None
        yield from forget(record, own)
        if answer is not None and _is_whole(script, answer):
            return answer
        why = reason_of(ended) if answer is None else "its rows lack values that only an answer can hold"
        message = f"{self.job.span}: task {task.id} could not compute it, a query does: {why}"
        yield from ask(Report(message, level="warning"))
        return (yield from ask(script))

    def _run(self, task: NativeTask) -> Steps[TaskRun | None]:
        """The run as it ended; None when it is lost."""
        try:
            run = yield from ask(StartRun(task.id, self.job.span.stop))
        except InfluxRejected as error:
            if not is_gone(error):
                raise
            return None
        return (yield from follow(task, run, self.job.span))

    def _record(self) -> ComputingRecord:
        number = f"{self.book.claim_id}_{self.round_number}_{self.made}"
        return ComputingRecord(
            pipeline=self.book.pipeline,
            run=run_key(self.book.run),
            claim=self.book.claim_id,
            ledger_bucket=self.book.ledger_bucket,
            measurement=f"{STAGED}_{number}",
            **self.job.read_interval.as_json(),
            made_at=self.now().isoformat(),
        )


def fields_in_parts(job: RollupBlock, fields: Sequence[str]) -> list[list[str]]:
    """Fields in parts whose chains fit into one script, so that all of a field's are in the same."""
    parts: list[list[str]] = []
    free = 0
    for name in fields:
        size = len(chains_of(job, name))
        if not parts or size > free:
            parts.append([])
            free = MAX_CHAINS_PER_QUERY
        parts[-1].append(name)
        free -= size
    return parts


def native_scripts(job: RollupBlock, fields: Sequence[str]) -> list[str]:
    """The scripts of the tasks that would compute some fields; what only a run knows is in angle brackets."""
    name = task_name(job.spec.pipeline_name)
    return [
        StagedChains(script, job.spec.ledger_bucket, f"{STAGED}_<claim>_<round>_<task>").task_flux(name)
        for some in fields_in_parts(job, fields)
        for script in rollup_scripts(job, some)
    ]


def _is_lost(run: TaskRun) -> bool:
    """Whether a run ended for no reason of its own: somebody canceled it, or InfluxDB went down."""
    of_reason = class_of_message(reason_of(run)) if run.has_failed else None
    return run.status == CANCELED or of_reason in (InfluxUnavailable, InfluxOverloaded)


def _is_of(chain: Chain, aggregate: str) -> bool:
    return chain.column == f"{chain.field}_{aggregate}"


def _has_counts(script: RollupChains) -> bool:
    counted = {chain.field for chain in script.chains if _is_of(chain, COUNT.name)}
    return all(chain.field in counted for chain in script.chains)


def _is_whole(script: RollupChains, answer: Answer) -> bool:
    """Whether each column has a value wherever there are points: InfluxDB stores no infinite value, and says nothing."""
    rows = Counter[Chain]()
    points, several = Counter[str](), Counter[str]()
    for chain, frame in answer:
        rows[chain] += len(frame.values)
        if _is_of(chain, COUNT.name):
            points[chain.field] += len(frame.values)
            several[chain.field] += int((frame.values > 1).sum())
    # the deviation of one point does not exist
    return all(
        rows[chain] == (several if _is_of(chain, STDDEV) else points)[chain.field]
        for chain in script.chains
        if not chain.is_extreme
    )
