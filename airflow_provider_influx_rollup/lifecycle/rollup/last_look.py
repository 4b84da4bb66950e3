"""The last look before rows are written: windows that were purged, or that another run has claimed, meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.flux.ledger_read import SetAside
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.ledger.codec import encode_put_back
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import (
    claims_of,
    committed_since,
    overtaken,
)
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import read_marks
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.set_aside import aside_of, restore_set_aside
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class LastLook:
    """What a run has to know before it writes.

    :param taken: the windows that another run has claimed since: its rows may be newer than what was read; of a repair also
        those that another run has committed before the claim, and all when a run has died that had put values aside
    :param aside: what such a run has put aside, also one that claimed the windows after this run had planned; it is in the
        target when nothing is taken
    """

    taken: tuple[Interval, ...]
    aside: tuple[SetAside, ...]


def last_look(
    job: RollupBlock, book: ReceiptBook, *, is_untouched: bool, is_repair: bool = False
) -> Steps[LastLook]:
    """Give windows up that a purge has taken since they were planned, before what was read of them is written.

    A purge marks its window, then reads the receipts, then deletes; a rollup makes its windows WRITING, reads the points,
    then reads the marks. So at least one of the two sees the other; and whatever a run has read before it finds no mark
    is whole, however long the run hangs in between.

    :param book: has the claim of the run, and the receipts that the windows had before they were WRITING
    :param is_untouched: whether the run has written none of their rows yet
    :param is_repair: whether only some rows are written, and the numbers of the others are those that were read before the
        windows were claimed
    :raises WindowFrozen: when a window is marked; the receipts are as before when the windows are untouched
    """
    spec, span = job.spec, job.read_interval
    overlapping = OverlappingMarks(spec.ledger_bucket, spec.measurement, span)
    starts, claims, aside = yield from ask(together(overlapping, claims_of(book, job.windows), aside_of(job)))
    taken = overtaken(book, job.windows, claims)
    if is_repair:
        taken = tuple(sorted({*taken, *committed_since(book, job.windows, claims)}))
        if aside:
            # it looks at some rows only, of what was there before
            taken = job.windows
    elif aside and not taken:
        # a run that has claimed a window since may be about to need its record
        taken = overtaken(book, job.windows, (yield from ask(claims_of(book, job.windows))))
        if not taken:
            yield from restore_set_aside(job, aside, is_last=False)
    marks = yield from read_marks(spec.ledger_bucket, spec.source_bucket, spec.measurement, span, starts)
    purged = purged_windows(job.windows, marks.own)
    if not purged:
        return LastLook(taken, tuple(aside))
    error = purged[min(purged)]
    # of windows that another run has claimed, or committed since the plan, the receipts are that run's
    free = [window for window in job.windows if window not in taken]
    last = book.seeing(free, claims).previous
    before = [book.previous[one] for one in free if one in book.previous and last[one] == book.previous[one]]
    if not is_untouched:
        error.written = None
        error.fix = "restore the points from the archive, then run it again"
    elif before:
        yield from ask(Write(spec.ledger_bucket, encode_put_back(before)))
    raise error
