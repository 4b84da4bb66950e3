"""Write the rows that differ, remove those that nothing explains, look again, and commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Codes
from airflow_provider_influx_rollup.aggregates.selection import Selection
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.ledger.codec import encode_receipts, encode_spec_commit
from airflow_provider_influx_rollup.ledger.lateness import encode_lateness
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.late_arrivals import late_arrivals
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.reconcile.depth import whole_depth
from airflow_provider_influx_rollup.lifecycle.reconcile.examine import Examined
from airflow_provider_influx_rollup.lifecycle.reconcile.explain import Change
from airflow_provider_influx_rollup.lifecycle.reconcile.held import TargetState
from airflow_provider_influx_rollup.lifecycle.reconcile.read import Findings, read_and_compare
from airflow_provider_influx_rollup.lifecycle.reconcile.reasons import reason_text
from airflow_provider_influx_rollup.lifecycle.rollup.last_look import last_look
from airflow_provider_influx_rollup.lifecycle.rollup.plan import job_of
from airflow_provider_influx_rollup.lifecycle.rollup.tier_commits import (
    Commits,
    commits_below,
    merged_from,
)
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.neighbours import with_neighbours
from airflow_provider_influx_rollup.lifecycle.target.stale_rows import StaleRows, delete_stale_rows
from airflow_provider_influx_rollup.lifecycle.target.write import row_count, write_of_rows
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_ROUNDS = 3


@dataclass(slots=True, kw_only=True)
class Repaired:
    """Result of a repair.

    :param windows: that are COMMITTED again
    :param rows: how many rows (series in a window) were written
    :param values: how many field values
    :param deleted: how many values were removed
    :param overtaken: windows that another run claimed meanwhile, or committed since they were read: they are not committed,
        and are to be rolled up
    :param below: commits of the tier below that the rows were last compared with
    :param unsettled: windows whose source kept changing: they stay WRITING, for the columns of a row may have been read at different times
    """

    windows: list[Interval] = field(default_factory=list)
    rows: int = 0
    values: int = 0
    deleted: int = 0
    unsettled: list[Interval] = field(default_factory=list)
    overtaken: tuple[Interval, ...] = ()
    below: Commits = frozenset()

    def add(self, other: Repaired) -> None:
        """Count another repair too."""
        self.windows += other.windows
        self.rows += other.rows
        self.values += other.values
        self.deleted += other.deleted
        self.unsettled += other.unsettled


def repair_windows(
    examined: Examined, chosen: Sequence[int], book: ReceiptBook, now: Clock
) -> Steps[Repaired]:
    """Make some of the windows of a block right, and touch nothing else.

    :param chosen: indices of dirty windows in ``examined.findings.job``, ascending
    :param book: has the receipts of the last commits
    """
    began = now()
    book = book.claiming(began)
    changes = [examined.changes[index] for index in chosen]
    job = _job_of(examined.findings.job, chosen)
    marks = [_book_of(book, change).receipt(change.window, State.WRITING, began) for change in changes]
    yield from ask(Write(book.ledger_bucket, encode_receipts(marks)))
    try:
        held, done = yield from _write_until_right(examined, chosen, job, book)
    except InfluxRollupError as error:
        error.window = error.window or job.span
        error.written = error.written or "some rows may be; the windows stay WRITING in the ledger"
        error.fix = error.fix or "run it again: windows that are WRITING are rolled up"
        raise
    if not done.overtaken:
        claims = yield from ask(claims_of(book, job.windows))
        done.overtaken = overtaken(book, job.windows, claims)
        book = book.seeing(job.windows, claims)
    done.unsettled = [window for window in done.unsettled if window not in done.overtaken]
    left = {*done.overtaken, *done.unsettled}
    done.windows = [window for window in job.windows if window not in left]
    ended = now()
    receipts = [
        _book_of(book, change).committed(
            change.window,
            ended,
            rows_in=rows_in,
            rows_out=totals.rows_out,
            series=totals.series,
            checksum=totals.checksum,
            seconds=(ended - began).total_seconds(),
            merged_from=lower,
        )
        for change, rows_in, totals, lower in zip(
            changes, held.rows_in(), held.totals(), merged_from(job, done.below), strict=True
        )
        if change.window not in left
    ]
    if not receipts:
        return done
    # a series that was erased since the rows were compared is not named
    gained = {one.window: held.still_there(one.window, one.gained) for one in changes if one.gained}
    late = late_arrivals(job.spec, book.previous, receipts, late_series=gained)
    used = encode_spec_commit(book.pipeline, book.spec_hash, ended)
    yield from ask(Write(book.ledger_bucket, [*encode_receipts(receipts), *encode_lateness(late), used]))
    return done


def _book_of(book: ReceiptBook, change: Change) -> ReceiptBook:
    """The book that says why a window is written."""
    return replace(book, run=replace(book.run, reason=reason_text(change.reasons)))


def _write_until_right(
    examined: Examined, chosen: Sequence[int], job: RollupBlock, book: ReceiptBook
) -> Steps[tuple[TargetState, Repaired]]:
    """Write, and look again at the whole windows.

    What was compared was read before the claim. Since then a run may have written rows and died, and another pipeline may have
    written back values that it had deleted for a moment.

    :raises ReceiptMissing: when a window of the tier below is being written again: this one stays WRITING
    :param job: of the chosen windows
    :return: what the target holds of these windows then, and what was written of them
    """
    done = Repaired()
    held = TargetState.of(examined.whole, job)
    findings, windows = examined.findings, np.array(chosen, np.int64)
    for rounds_left in reversed(range(MAX_ROUNDS)):
        is_untouched = rounds_left == MAX_ROUNDS - 1
        if (yield from last_look(job, book, is_untouched=is_untouched, is_repair=True)).taken:
            # their rows are half written at most, so all of them are rolled up
            done.overtaken = job.windows
            return held, done
        done.add((yield from _write_rows(findings, book, windows)))
        if job.ownership.earlier:
            # what another pipeline has taken over meanwhile stays
            job = yield from with_neighbours(job)
        below = yield from commits_below(job)
        findings = yield from read_and_compare(job, whole_depth(job))
        held, windows = TargetState.of(findings, job), findings.difference.windows
        done.below = below
        if below != (yield from commits_below(job)):
            # a tier below that is written again while it is read gives rows that it never had
            done.overtaken = job.windows
            return held, done
        if not len(windows):
            break
        if rounds_left:
            yield from ask(Report("Points came while rows were written, looking again", level="warning"))
    done.unsettled = [job.windows[index] for index in windows.tolist()]
    return held, done


def _write_rows(findings: Findings, book: ReceiptBook, windows: Codes) -> Steps[Repaired]:
    """Write the rows that differ, then remove the values that nothing explains.

    :param windows: the windows that may be written
    :return: what was written and removed, without the windows
    """
    done = Repaired()
    job, difference = findings.job, findings.difference.in_windows(windows)
    rows = findings.expected.at(difference.pairs())
    if rows.columns:
        done.rows = row_count(job, rows)
        done.values = sum(len(column.values) for column in rows.columns.values())
        yield from ask(write_of_rows(job, rows))
    stale = StaleRows.of((name, set(difference.pairs(keys))) for name, keys in difference.stale.items())
    if stale.columns_by_key:
        removed = yield from delete_stale_rows(job, book, stale)
        done.deleted = removed.value_count
        # of a point that was there under two series keys one row may have been right
        again = findings.expected.at(removed.columns_by_key)
        if again.columns:
            yield from ask(write_of_rows(job, again))
    return done


def _job_of(job: RollupBlock, chosen: Sequence[int]) -> RollupBlock:
    windows = tuple(job.windows[index] for index in chosen)
    return replace(
        job_of(job.spec, windows, Selection(job.columns, ()), job.ownership), found_below=job.found_below
    )
