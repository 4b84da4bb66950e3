"""Go through the windows of one pipeline block by block: examine, repair, roll up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from airflow_provider_influx_rollup.exceptions import (
    AggregateOverflow,
    InfluxRollupError,
    ReceiptMissing,
    WindowFrozen,
)
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import OVERTAKEN
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.reconcile.block_size import BlockSizer
from airflow_provider_influx_rollup.lifecycle.reconcile.digest import PARTS, DigestSearch, can_digest
from airflow_provider_influx_rollup.lifecycle.reconcile.examine import Examined, examine
from airflow_provider_influx_rollup.lifecycle.reconcile.explain import Change
from airflow_provider_influx_rollup.lifecycle.reconcile.reasons import Reason, reason_text
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile_run import ReconcileRun
from airflow_provider_influx_rollup.lifecycle.reconcile.repair import Repaired, repair_windows
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult, SkippedWindow
from airflow_provider_influx_rollup.lifecycle.rollup.plan import Plan
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.rollup.windows import roll_up_windows
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.window_errors import is_of_windows
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon, is_too_old, keeps_what_is_lost
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.current_window import within
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.runs import halves, stretches

Block = tuple[Interval, ...]


@dataclass(slots=True, kw_only=True)
class Sweep:
    """The windows of one pipeline, and what became of those that were looked at.

    :param seen: how many were
    :param receipts_alone: how many had right rows and a receipt that says something else
    """

    run: ReconcileRun
    plan: Plan
    result: ReconcileResult
    sizer: BlockSizer
    seen: int = 0
    receipts_alone: int = 0

    @classmethod
    def of(cls, run: ReconcileRun, plan: Plan) -> Sweep:
        """One that has looked at nothing yet."""
        result = ReconcileResult(spec=run.spec, mode=run.options.mode, interval=None)
        return cls(run=run, plan=plan, result=result, sizer=BlockSizer.of(run.spec, plan.book.previous))

    @property
    def book(self) -> ReceiptBook:
        """The receipts that the ledger had."""
        return self.plan.book

    def sweep(self, windows: Block) -> Steps[None]:
        """Look at neighbouring windows in which no field changes its type."""
        for is_dirty, members in groupby(
            windows, key=lambda window: self.reason_of_receipt(window) is not None
        ):
            some = tuple(members)
            parts = [some] if is_dirty else (yield from self._suspects(some))
            for part in parts:
                yield from self._in_blocks(part)
            self.result.windows += len(some)
            self.seen = self.result.windows

    def _suspects(self, windows: Block) -> Steps[list[Block]]:
        """The windows that are to be compared row by row; of the others it is known that they are right."""
        job = self._job(windows)
        small = self.sizer.size()
        if len(windows) <= small // PARTS or not can_digest(job):
            return [windows]
        receipts = [self.book.previous[window] for window in windows]
        rows, values = max(one.series for one in receipts), sum(one.rows_out for one in receipts)
        return (yield from DigestSearch(job, rows, small, values).suspects())

    def _in_blocks(self, windows: Block) -> Steps[None]:
        position = 0
        while position < len(windows):
            block = windows[position : position + self.sizer.size()]
            position += len(block)
            yield from ask(
                Progressed(message="windows compared", done=self.seen, total=len(self.plan.windows))
            )
            yield from within(Interval.spanning(block), self._do(block))
            self.seen += len(block)

    def _job(self, windows: Block) -> RollupBlock:
        return self.plan.job(windows)

    def _do(self, block: Block) -> Steps[None]:
        changes = {
            window: Change(window=window, reasons=(why,))
            for window in block
            if (why := self.reason_of_receipt(window))
        }
        again = frozenset(changes)
        examined = None
        if len(again) < len(block):
            try:
                examined = yield from self._examine(block)
            except AggregateOverflow as error:
                yield from self._apart(block, error)
                return
            except ReceiptMissing as error:
                yield from self._leave(block, error)
                return
            found = {change.window: change for change in examined.changes.values()}
            changes = {**found, **changes}
        if not changes:
            return
        ordered = [changes[window] for window in sorted(changes)]
        self.result.dirty += ordered
        yield from ask(Report(_text_of(block, ordered)))
        todo = self._allowed(self._without_frozen(ordered))
        if examined is not None:
            yield from self._repair(examined, [c.window for c in todo if c.window not in again])
        for some in stretches(block, [change.window for change in todo if change.window in again]):
            yield from self._roll_up(some, [changes[window] for window in some])

    def _apart(self, block: Block, error: AggregateOverflow) -> Steps[None]:
        """Find the windows that have no right value; the others are compared."""
        if len(block) > 1:
            for half in halves(block):
                yield from self._do(half)
            return
        self.result.failed[block[0]] = error
        yield from ask(Report(f"{block[0]} failed: {error.what}", level="warning"))

    def _leave(self, block: Block, error: ReceiptMissing) -> Steps[None]:
        """The tier below is not right: find the windows that have to wait for it."""
        if len(block) == 1:
            self.result.waiting.append(SkippedWindow(block[0], error.what))
            return
        for half in halves(block):
            yield from self._do(half)

    def reason_of_receipt(self, window: Interval) -> Reason | None:
        """Reason to roll a window up as a whole; None when its rows are compared."""
        receipt = self.book.previous.get(window)
        if receipt is None or not receipt.is_committed:
            return Reason.NEVER_COMMITTED
        return None if receipt.spec_hash == self.book.spec_hash else Reason.SPEC_CHANGED

    def _examine(self, block: Block) -> Steps[Examined]:
        job = self._job(block)
        receipts = {
            window: self.book.previous[window] for window in block if not self.reason_of_receipt(window)
        }
        examined = yield from examine(job, self.run.options.strict, receipts)
        self.sizer.learn(len(block), examined.whole.values_read)
        off_grid = examined.whole.stored.off_grid
        if off_grid:
            self._note(
                f"{off_grid} values of these fields lie on no window's start in {job.span}; they were left alone"
            )
        return examined

    def _without_frozen(self, changes: Iterable[Change]) -> list[Change]:
        kept = []
        for change in changes:
            why = self._why_frozen(change)
            if why is None:
                kept.append(change)
            else:
                self.result.frozen.append(SkippedWindow(change.window, why))
        return kept

    def _why_frozen(self, change: Change) -> str | None:
        """Reason why a repair could lose points of a window: retention has deleted some, or may have."""
        source, now = self.plan.source, self.run.now()
        edge = horizon(source, now)
        if edge is None:
            return None
        receipt = self.book.previous.get(change.window)
        stands_for = receipt.rows_in if receipt else 0
        there = "" if change.points is None else f", and has {change.points} points of it now"
        numbers = (
            f"bucket {source.name!r} keeps points from {format_instant(edge)} on{there}; "
            f"the rollup stands for {stands_for}"
        )
        is_fewer = change.points is not None and change.points < stands_for
        is_other = Reason.SPEC_CHANGED in change.reasons and stands_for > 0
        is_reached = change.window.start < edge
        # whatever the clock says: what is gone may be gone forever
        counts = is_reached or keeps_what_is_lost(self.run.spec, source)
        if (
            is_too_old(change.window, source, now)
            or (is_reached and is_other)
            or (counts and (is_fewer or change.lost))
        ):
            return numbers
        return None

    def _allowed(self, changes: list[Change]) -> list[Change]:
        """As many as may still be repaired, the oldest first; receipts alone cost little, and are always made right."""
        if self.run.options.is_plan:
            return []
        most = self.run.options.max_windows
        if most is None:
            return changes
        done = self.result.repaired
        tried = len(done.windows) + len(done.unsettled) + len(self.result.failed) - self.receipts_alone
        wrong = [change for change in changes if not change.is_of_receipt]
        left = wrong[max(0, most - tried) :]
        self.receipts_alone += len(changes) - len(wrong)
        self.result.remaining += len(left)
        return [change for change in changes if change not in left]

    def _repair(self, examined: Examined, windows: Sequence[Interval]) -> Steps[None]:
        wanted = frozenset(windows)
        chosen = [index for index, change in examined.changes.items() if change.window in wanted]
        if not chosen:
            return
        try:
            done = yield from repair_windows(examined, sorted(chosen), self.book, self.run.now)
        except InfluxRollupError as error:
            if not is_of_windows(error):
                raise
            self.result.failed.update(dict.fromkeys(windows, error))
            yield from ask(Report(f"{len(windows)} windows failed: {error}", level="warning"))
            return
        self.result.repaired.add(done)
        changes = {change.window: change for change in examined.changes.values()}
        for some in stretches(windows, done.overtaken):
            yield from ask(Report(f"{some[0]}: {OVERTAKEN}; rolling up again", level="warning"))
            yield from self._roll_up(some, [changes[window] for window in some])
        if done.unsettled:
            self._note(
                f"points kept coming to {len(done.unsettled)} windows, which stay WRITING for the next run"
            )

    def _roll_up(self, windows: Block, changes: Sequence[Change]) -> Steps[None]:
        reasons = sorted({reason for change in changes for reason in change.reasons})
        info = replace(self.run.info, reason=reason_text(reasons))
        whole = RollupRun(self.run.spec, info, self.run.now, RollupOptions())
        outcome = yield from roll_up_windows(whole, windows)
        committed = [outcome.committed[window] for window in windows if window in outcome.committed]
        self.result.repaired.add(
            Repaired(
                windows=[receipt.window for receipt in committed],
                rows=sum(receipt.series for receipt in committed),
                values=sum(receipt.rows_out for receipt in committed),
            )
        )
        for window, error in outcome.failed.items():
            if isinstance(error, WindowFrozen):
                self.result.frozen.append(SkippedWindow(window, error.what))
            elif isinstance(error, ReceiptMissing):
                self.result.waiting.append(SkippedWindow(window, error.what))
            else:
                self.result.failed[window] = error

    def _note(self, text: str) -> None:
        if text not in self.result.notes:
            self.result.notes.append(text)


def _text_of(block: Block, changes: Sequence[Change]) -> str:
    reasons = sorted({reason for change in changes for reason in change.reasons})
    span = Interval.spanning(block)
    return f"{len(changes)} of {len(block)} windows of {span} are dirty: {', '.join(reasons)}"
