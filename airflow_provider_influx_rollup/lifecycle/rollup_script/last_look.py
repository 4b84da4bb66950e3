"""Windows of a user's script that were purged, or that another run has claimed, before and after it ran."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import SourceChanging
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import read_marks
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup_script.reads import ScriptReads, may_read
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


def require_not_purged(reading: ScriptReads, windows: Sequence[Interval]) -> Steps[None]:
    """Refuse windows whose points were purged.

    :param windows: in ascending order
    :raises WindowFrozen: when a measurement that was purged may be what the script reads
    """
    span = Interval.spanning(windows)
    starts = yield from ask(OverlappingMarks(reading.ledger_bucket, None, span))
    yield from _refuse_purged(reading, windows, starts)


def last_look(reading: ScriptReads, windows: Sequence[Interval], book: ReceiptBook) -> Steps[ReceiptBook]:
    """Look after the script has run, which reads and writes at once, and before its windows are committed.

    :param windows: in ascending order
    :param book: with the claim of the run
    :return: the book with what other runs have committed since the plan
    :raises SourceChanging: when another run, or an erasure, has claimed the windows since
    :raises WindowFrozen: as ``require_not_purged``
    """
    span = Interval.spanning(windows)
    overlapping = OverlappingMarks(reading.ledger_bucket, None, span)
    starts, claims = yield from ask(together(overlapping, claims_of(book, windows)))
    yield from _refuse_purged(reading, windows, starts)
    if overtaken(book, windows, claims):
        what = "another run, or an erasure of what it reads, claimed the window while the script ran"
        raise SourceChanging(what, window=span, fix="run the window again")
    return book.seeing(windows, claims)


def _refuse_purged(
    reading: ScriptReads, windows: Sequence[Interval], starts: Collection[datetime]
) -> Steps[None]:
    span = Interval.spanning(windows)
    for bucket in reading.buckets:
        marks = (yield from read_marks(reading.ledger_bucket, bucket, None, span, starts)).own
        purged = purged_windows(windows, [mark for mark in marks if may_read(reading.text, mark.measurement)])
        if purged:
            raise purged[min(purged)]
