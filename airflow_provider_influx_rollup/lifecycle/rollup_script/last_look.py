"""Windows of a user's script that were purged, or that another run has claimed, before and after it ran."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import SourceChanging, WindowFrozen
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import read_marks
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup_script.reads import ScriptReads
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


def require_not_purged(reading: ScriptReads, windows: Sequence[Interval]) -> Steps[None]:
    """Refuse windows whose points were purged.

    :param windows: in ascending order
    :raises WindowFrozen: when a measurement that was purged may be what the script reads
    """
    starts = yield from ask(_marks_of(reading, windows))
    yield from _refuse_purged(reading, windows, starts)


def last_look(reading: ScriptReads, windows: Sequence[Interval], book: ReceiptBook) -> Steps[ReceiptBook]:
    """Look after the script has run, which reads and writes at once, and before its windows are committed.

    :param windows: in ascending order
    :param book: with the claim of the run
    :return: the book with what other runs have committed since the plan
    :raises SourceChanging: when another run, or an erasure, has claimed the windows since
    :raises WindowFrozen: as ``require_not_purged``
    """
    starts, claims = yield from ask(together(_marks_of(reading, windows), claims_of(book, windows)))
    yield from _refuse_purged(reading, windows, starts)
    if overtaken(book, windows, claims):
        what = "another run, or an erasure of what it reads, claimed the window while the script ran"
        raise SourceChanging(what, window=Interval.spanning(windows), fix="run the window again")
    return book.seeing(windows, claims)


def _marks_of(reading: ScriptReads, windows: Sequence[Interval]) -> OverlappingMarks:
    return OverlappingMarks(reading.ledger_bucket, None, _span_of(reading, windows))


def _span_of(reading: ScriptReads, windows: Sequence[Interval]) -> Interval:
    return Interval.spanning([reading.span_of(window) for window in windows])


def _refuse_purged(
    reading: ScriptReads, windows: Sequence[Interval], starts: Collection[datetime]
) -> Steps[None]:
    if not reading.reads_buckets:
        return
    span = _span_of(reading, windows)
    found = yield from read_marks(reading.ledger_bucket, "", None, span, starts)
    marks = [
        mark
        for mark in (*found.own, *found.others)
        if reading.may_need(mark, found.names.present(mark.bucket, mark.bucket_id))
    ]
    for window in windows:
        read = reading.span_of(window)
        for error in purged_windows([read], marks).values():
            what = error.what if read == window else f"{error.what}; for this window the script reads {read}"
            raise WindowFrozen(what, window=window, written=error.written, fix=error.fix)
