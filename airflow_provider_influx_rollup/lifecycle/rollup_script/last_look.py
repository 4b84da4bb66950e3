"""Windows of a user's script that were purged, or that another run has claimed, before and after it ran."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import SourceChanging, WindowFrozen
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import read_marks
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup_script.reads import PurgedRead, ScriptReads
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

NOTHING: Mapping[Interval, Receipt] = {}
FIX = "restore the points from the archive first; what was rolled up before the purge stays as it is"


def require_not_purged(
    reading: ScriptReads, windows: Sequence[Interval], before: Mapping[Interval, Receipt]
) -> Steps[ScriptReads]:
    """Refuse windows whose points were purged, and those that were committed from points outside them that were purged since.

    :param windows: in ascending order
    :param before: their receipts
    :return: with what is to be told
    :raises WindowFrozen: when a measurement that was purged may be what the script reads
    """
    starts = yield from ask(_marks_of(reading, windows))
    return replace(reading, told=tuple((yield from _purged_reads(reading, windows, starts, before))))


def last_look(
    reading: ScriptReads, windows: Sequence[Interval], book: ReceiptBook
) -> Steps[tuple[ReceiptBook, ScriptReads]]:
    """Look after the script has run, which reads and writes at once, and before its windows are committed.

    :param windows: in ascending order
    :param book: with the claim of the run
    :return: the book with what other runs have committed since the plan, and the reads with what has been told now
    :raises SourceChanging: when another run, or an erasure, has claimed the windows since
    :raises WindowFrozen: as ``require_not_purged``
    """
    starts, claims = yield from ask(together(_marks_of(reading, windows), claims_of(book, windows)))
    told = {one.points: one for one in reading.told}
    for one in (yield from _purged_reads(reading, windows, starts)):
        if one.points not in told:
            yield from ask(Report(one.note, level="warning"))
            told[one.points] = one
    if overtaken(book, windows, claims):
        what = "another run, or an erasure of what it reads, claimed the window while the script ran"
        raise SourceChanging(what, window=Interval.spanning(windows), fix="run the window again")
    return book.seeing(windows, claims), replace(reading, told=tuple(told.values()))


def _marks_of(reading: ScriptReads, windows: Sequence[Interval]) -> OverlappingMarks:
    return OverlappingMarks(reading.ledger_bucket, None, _span_of(reading, windows))


def _span_of(reading: ScriptReads, windows: Sequence[Interval]) -> Interval:
    return Interval.spanning([reading.span_of(window) for window in windows])


def _purged_reads(
    reading: ScriptReads,
    windows: Sequence[Interval],
    starts: Collection[datetime],
    before: Mapping[Interval, Receipt] = NOTHING,
) -> Steps[list[PurgedRead]]:
    """Refuse windows that were purged, and find what is read of other purged ones.

    :param before: receipts of windows that must not become poorer
    :return: one for each measurement: the first window for which purged points are read
    :raises WindowFrozen: when a window was purged itself, or would become poorer
    """
    if not reading.reads_buckets:
        return []
    found = yield from read_marks(reading.ledger_bucket, "", None, _span_of(reading, windows), starts)
    names = {mark: found.names.present(mark.bucket, mark.bucket_id) for mark in (*found.own, *found.others)}
    marks = [mark for mark, name in sorted(names.items(), key=_start) if reading.may_need(mark, name)]
    purged = purged_windows(windows, marks)
    if purged:
        error = purged[min(purged)]
        raise WindowFrozen(error.what, window=error.window, written=error.written, fix=FIX)
    _require_no_poorer(reading, names, marks, before)
    reads: dict[tuple[str, str], PurgedRead] = {}
    for mark in marks:
        if (names[mark], mark.measurement) not in reads:
            one = reading.purged_read(mark, names[mark], windows)
            if one is not None:
                reads[one.points] = one
    return list(reads.values())


def _require_no_poorer(
    reading: ScriptReads,
    names: Mapping[PurgeMark, str],
    marks: Sequence[PurgeMark],
    before: Mapping[Interval, Receipt],
) -> None:
    """Refuse windows that were committed before points were purged which the script reads for them."""
    for window, receipt in before.items():
        for mark in marks if receipt.is_committed else ():
            if mark.compared_at < receipt.written_at:
                # it was committed from what the purge had left
                continue
            one = reading.purged_read(mark, names[mark], [window])
            if one is not None:
                what = f"the window was committed before the purge of points that the script reads for it: {mark.text()}; the script reads {one.span}"
                raise WindowFrozen(what, window=window, written="nothing", fix=FIX)


def _start(named: tuple[PurgeMark, str]) -> datetime:
    return named[0].window.start
