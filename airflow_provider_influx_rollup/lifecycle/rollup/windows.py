"""Roll up neighbouring windows block by block, so that a bad window does not stop the others."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    QueryLimitReached,
    SourceChanging,
    SourceIncomplete,
    WindowFrozen,
)
from airflow_provider_influx_rollup.ledger.codec import encode_spec
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.history import receipts_of
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup.bad_fields import with_bad_fields
from airflow_provider_influx_rollup.lifecycle.rollup.blocks import plan_blocks
from airflow_provider_influx_rollup.lifecycle.rollup.commit import Committed, OutdatedPlanError, commit_block
from airflow_provider_influx_rollup.lifecycle.rollup.frozen import count_notes
from airflow_provider_influx_rollup.lifecycle.rollup.plan import plan_rollup
from airflow_provider_influx_rollup.lifecycle.rollup.prepare import Prepared, prepare_windows
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.window_errors import is_of_windows
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.current_window import within
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import halves

MAX_FAILED = 200
MAX_PLANS = 2

Block = tuple[Interval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results of a run's windows.

    :param committed: the receipts, also of what an earlier try has committed
    :param failed: the windows that are not, with the reason
    :param first_error: the first error of a block
    """

    pipeline_name: str
    committed: Mapping[Interval, Receipt]
    failed: Mapping[Interval, InfluxRollupError]
    first_error: InfluxRollupError | None
    notes: Sequence[str]


def roll_up_windows(run: RollupRun, windows: Block) -> Steps[Outcome]:
    """Roll up neighbouring windows; errors of single windows are in the outcome.

    :param windows: in ascending order
    :raises InfluxRollupError: what concerns the whole run; with ``on_window_error="fail_fast"`` each error
    """
    ready = yield from prepare_windows(run, windows)
    work = _Work(
        run=run,
        ready=ready,
        now=run.now,
        options=run.options,
        committed=dict(ready.committed),
        failed=dict(ready.refused),
        first_error=ready.first_error,
    )
    yield from work.do_all()
    counts = count_notes(ready.plan.book.previous, work.committed.values())
    notes = [*counts, *_lacking_notes(work.lacking)]
    for note in notes:
        yield from ask(Report(note, level="warning"))
    return Outcome(
        pipeline_name=ready.plan.spec.pipeline_name,
        committed=work.committed,
        failed=work.failed,
        first_error=work.first_error,
        notes=[*ready.notes, *notes],
    )


def _lacking_notes(lacking: Mapping[tuple[str, str], Set[Interval]]) -> list[str]:
    return [
        f"{column} is left out for some series in {len(windows)} windows, such as {min(windows)}: {why}"
        for (column, why), windows in sorted(lacking.items())
    ]


@dataclass(slots=True, kw_only=True)
class _Work:
    """The blocks that are still to do, and what became of the others.

    :param plans: how often the run was planned again for a block
    :param lines: records that go with the first block
    :param torn: windows of blocks that failed: their receipts have changed since the plan
    :param bad: how many windows failed
    :param lacking: windows in which a column lacks a value
    """

    run: RollupRun
    ready: Prepared
    now: Clock
    options: RollupOptions
    committed: dict[Interval, Receipt]
    failed: dict[Interval, InfluxRollupError]
    first_error: InfluxRollupError | None
    plans: Counter[Block] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    torn: set[Interval] = field(default_factory=set)
    bad: int = 0
    lacking: dict[tuple[str, str], set[Interval]] = field(default_factory=dict)

    def do_all(self) -> Steps[None]:
        """Do one block after another; one that fails is halved until the bad windows are found."""
        ready = self.ready
        queue = deque((yield from plan_blocks(ready.plan, ready.todo, self.options.windows_per_block)))
        if queue:
            self.lines = self._announcement(window for block in list(queue)[1:] for window in block)
        while queue:
            yield from ask(self._progress())
            block = self._without_aged(queue.popleft())
            if not block:
                continue
            if self.bad > MAX_FAILED:
                self._leave(block)
                continue
            queue.extendleft(reversed((yield from self._do(block))))

    def _progress(self) -> Progressed:
        return Progressed(
            message="windows committed",
            done=len(self.committed),
            total=len(self.ready.plan.windows),
            refused=len(self.failed),
        )

    def _announcement(self, later: Iterable[Interval]) -> list[str]:
        """The spec, and PLANNED for later windows, unless the ledger knows them already."""
        spec, book = self.ready.plan.spec, self.ready.book
        ids = {"source_bucket": self.ready.plan.source.id, "target_bucket": self.ready.plan.target.id}
        line = encode_spec(spec.pipeline_name, spec.spec_hash(), spec.as_json(), self.now(), ids)
        return [line, *book.lines(book.unknown(later), State.PLANNED, self.now())]

    def _do(self, block: Block) -> Steps[list[Block]]:
        """Commit a block; what it returns is to be tried again."""
        job = self.ready.plan.job(block)
        is_whole = block == self.ready.plan.windows and not self.torn
        book = (yield from self._book(block)).claiming(self.now())
        lines = [*self.lines, *book.lines(block, State.WRITING, self.now())]
        try:
            totals = self.ready.plan.totals if is_whole else None
            new_columns = self.ready.plan.new_columns
            is_native = self.options.is_native
            committing = commit_block(
                job, book, lines, totals, self.now, new_columns=new_columns, is_native=is_native
            )
            done = yield from within(job.span, self._unless_outdated(committing, block))
            if done is None:
                return [block]
        except InfluxRollupError as error:
            self.torn.update(block)
            self._raise_if_of_the_run(error, block)
            self.first_error = self.first_error or error
            if len(block) > 1:
                yield from ask(Report(f"{job.span} failed, trying its halves: {error.what}", level="warning"))
                return halves(block)
            error = yield from with_bad_fields(job, book, error)
            yield from ask(Report(f"{job.span} failed: {error.what}", level="warning"))
            self._fail(block[0], error)
        else:
            self.committed.update((receipt.window, receipt) for receipt in done.receipts)
            for column, lacked in done.lacking.items():
                self.lacking.setdefault(column, set()).update(lacked)
            self._fail_empty(block)
        finally:
            self.lines = []
        return []

    def _unless_outdated(self, committing: Steps[Committed], block: Block) -> Steps[Committed | None]:
        """Commit a block; None when the run was planned again, since another run has written columns that its plan lacks.

        :raises SourceChanging: when that goes on for one block
        """
        try:
            return (yield from committing)
        except OutdatedPlanError as outdated:
            names = ", ".join(sorted(outdated.columns))
            what = f"points came after the run was planned, and another run has written {names} of them"
            if self.plans[block] == MAX_PLANS:
                written = "some rows may be; the windows stay WRITING in the ledger"
                fix = "run it again when the other run has ended"
                raise SourceChanging(
                    what, window=Interval.spanning(block), written=written, fix=fix
                ) from outdated
        self.torn.update(block)
        self.plans[block] += 1
        yield from ask(Report(f"{Interval.spanning(block)}: {what}; planning again", level="warning"))
        plan = yield from plan_rollup(self.run.spec, self.ready.plan.windows, self.run.info)
        book = replace(plan.book, forced=self.ready.book.forced)
        self.ready = replace(self.ready, plan=plan, book=book)
        return None

    def _book(self, block: Block) -> Steps[ReceiptBook]:
        """The receipts as they are now: a block that failed has left its windows WRITING."""
        book = self.ready.book
        if self.torn.isdisjoint(block):
            return book
        found = yield from receipts_of(book.ledger_bucket, book.pipeline, block)
        return replace(book, previous={**book.previous, **found})

    def _raise_if_of_the_run(self, error: InfluxRollupError, block: Block) -> None:
        # fewer windows ask for less
        is_too_much = isinstance(error, QueryLimitReached) and len(block) > 1
        if not is_too_much and (self.options.fails_fast or not is_of_windows(error)):
            done = len(self.committed)
            error.written = f"{error.written}; {done} of {len(self.ready.plan.windows)} windows are COMMITTED"
            raise error

    def _fail(self, window: Interval, error: InfluxRollupError) -> None:
        self.failed[window] = error
        self.bad += 1

    def _fail_empty(self, block: Block) -> None:
        for window in block:
            if window not in self.committed:
                what, fix = "the window has no points", "send the data"
                error = SourceIncomplete(what, window=window, written="nothing", fix=fix)
                if self.options.fails_fast:
                    raise error
                self.failed[window] = error

    def _without_aged(self, block: Block) -> Block:
        """Windows that retention has reached during the run are left out."""
        source, forced = self.ready.plan.source, self.ready.book.forced
        aged = [w for w in block if w not in forced and is_too_old(w, source, self.now())]
        for window in aged:
            what = f"retention of bucket {source.name!r} reached the window during the run"
            error = WindowFrozen(what, window=window, written="nothing", fix="keep the rollup as it is")
            if self.options.fails_fast:
                raise error
            self.failed[window] = error
        return tuple(window for window in block if window not in self.failed)

    def _leave(self, block: Block) -> None:
        for window in block:
            what = f"not tried, for {self.bad} windows had failed before"
            self.failed[window] = InfluxRollupError(what, window=window, written="nothing")
