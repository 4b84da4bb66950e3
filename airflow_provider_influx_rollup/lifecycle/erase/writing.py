"""Runs that write windows while series are erased from them: they may have read the points before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import SourceChanging
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf, ReceiptStates
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.ledger.codec import encode_claims
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.erase.spec import STAGE, EraseSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.margins import BUSY_FOR, WORKER_CLOCKS_DIFFER
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant, to_ns

# a window that begins before a span may reach into it
LONGEST_WINDOW = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class WritingRun:
    """A run that writes a window, or died when it did.

    :param is_old: whether it is at it for long
    """

    pipeline: str
    receipt: Receipt
    is_old: bool

    @property
    def fingerprint(self) -> str:
        """Tells it from every other run, and from the same one when it resumes."""
        receipt = self.receipt
        text = (
            f"{self.pipeline}\0{receipt.window}\0{receipt.run_id}\0{receipt.try_number}\0{receipt.written_at}"
        )
        return f"{text_hash(text, 'writing'):016x}"

    def error(self, spec: EraseSpec) -> SourceChanging:
        """Reason why there is no certificate."""
        receipt = self.receipt
        what = f"run {receipt.run_id!r} of pipeline {spec.shown(self.pipeline)!r} is writing {receipt.window}"
        fix = "run it again when that run has ended: it continues where it stopped"
        if self.is_old:
            what += f", since {format_instant(receipt.written_at)}"
            fix = "see that the run has ended, or died, and run it again: it continues where it stopped"
        return SourceChanging(what, window=receipt.window, written="no certificate", fix=fix)


@dataclass(frozen=True, slots=True)
class WritingRuns:
    """Finds them, and takes their windows from those that seem to be dead.

    :param erase_id: of the erasure
    :param clock: aware UTC
    """

    spec: EraseSpec
    erase_id: str
    clock: Clock

    @property
    def claim_id(self) -> str:
        """Of the erasure, in receipts: also when it is run again."""
        return f"{text_hash(self.erase_id, STAGE):016x}"

    def receipts(self, pipeline: str, spans: Sequence[Interval]) -> Steps[list[Receipt]]:
        """The receipts of windows that reach into one of some spans."""
        reach = Interval(_earlier(spans[0].start), spans[-1].stop)
        receipts = yield from ask(ReceiptsOf(self.spec.archive.ledger_bucket, pipeline, ROLLUP, reach))
        return [one for one in receipts if any(one.window.overlaps(span) for span in spans)]

    def find(self, pipeline: str, spans: Sequence[Interval]) -> Steps[list[WritingRun]]:
        """The runs of a pipeline that write windows of some spans, but for those whose windows were taken."""
        if not spans:
            return []
        now = self.clock()
        return [
            WritingRun(pipeline, one, now - one.written_at >= BUSY_FOR)
            for one in (yield from self.receipts(pipeline, spans))
            if one.state is State.WRITING and one.claim_id != self.claim_id
        ]

    def committed_since(self, pipeline: str, reach: Interval, began: datetime) -> Steps[frozenset[int]]:
        """Starts of the windows that a pipeline may have committed since the erasure began.

        A run may read points, write rows of them and commit between two looks: no look has seen those rows, and they are
        deleted with the others.

        :param reach: where rows are deleted
        """
        ledger = self.spec.archive.ledger_bucket
        since = to_ns(began - WORKER_CLOCKS_DIFFER)
        states = yield from ask(ReceiptStates(ledger, pipeline, ROLLUP, reach))
        return frozenset(
            one.window.start_ns
            for one in states
            if one.state is State.COMMITTED and one.written_at_ns >= since
        )

    def still(self, runs: Iterable[WritingRun]) -> Steps[list[WritingRun]]:
        """Those of some runs that have not ended."""
        found: list[WritingRun] = []
        for name in sorted({one.pipeline for one in runs}):
            found += yield from self.find(
                name, sorted(one.receipt.window for one in runs if one.pipeline == name)
            )
        return found

    def take(self, runs: Sequence[WritingRun]) -> Steps[None]:
        """Take windows over: a run that only hangs reads them again, or commits in vain."""
        if runs:
            lines = encode_claims((one.receipt for one in runs), self.claim_id)
            yield from ask(Write(self.spec.archive.ledger_bucket, lines))


def _earlier(start: datetime) -> datetime:
    """Longest time before an instant at which windows that reach it may begin."""
    floor = datetime(1678, 1, 1, tzinfo=start.tzinfo)
    return max(floor, start - LONGEST_WINDOW)
