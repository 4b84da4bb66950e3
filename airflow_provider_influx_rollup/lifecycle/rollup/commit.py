"""Write a block of windows, verify it, remove stale rows, commit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    SourceChanging,
)
from airflow_provider_influx_rollup.ledger.codec import (
    encode_receipts,
    encode_spec_commit,
)
from airflow_provider_influx_rollup.ledger.lateness import encode_lateness
from airflow_provider_influx_rollup.ledger.line_protocol import MAX_KEY_BYTES
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import OVERTAKEN, claim_again
from airflow_provider_influx_rollup.lifecycle.ledger.late_arrivals import late_arrivals
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup.native import NativeWay
from airflow_provider_influx_rollup.lifecycle.rollup.native_leftovers import remove_leftovers
from airflow_provider_influx_rollup.lifecycle.rollup.tier_commits import (
    Commits,
    commits_below,
    merged_from,
)
from airflow_provider_influx_rollup.lifecycle.rollup.verify import (
    Verification,
    source_totals,
    verify_windows,
)
from airflow_provider_influx_rollup.lifecycle.rollup.write import Written, write_windows
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.rerun_advice import rerun_advice
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.neighbours import with_neighbours
from airflow_provider_influx_rollup.lifecycle.target.set_aside import restore_set_aside
from airflow_provider_influx_rollup.lifecycle.target.stale_rows import delete_stale_rows
from airflow_provider_influx_rollup.lifecycle.target.write import write_of_rows
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_ROUNDS = 3

# by column, and why it lacks a value there
TOO_LARGE = "it, or a part of it in the tier below, is too large for a float"
TOO_LONG = (
    f"InfluxDB holds {MAX_KEY_BYTES} bytes of measurement, tags and field together; a group_by without the longest tag, or "
    "shorter names, would keep it"
)


class OutdatedPlanError(Exception):
    """Points of other columns came after the plan, and another run has written these: they are not stale.

    :param columns: names of some of them
    """

    def __init__(self, columns: Set[str]) -> None:
        super().__init__(columns)
        self.columns = columns


@dataclass(frozen=True, slots=True)
class Committed:
    """Result of a block.

    :param receipts: of what is COMMITTED: all windows, but for empty ones when ``empty_windows="fail"``
    :param lacking: by column and reason, the windows in which it lacks a value
    """

    receipts: Sequence[Receipt]
    lacking: Mapping[tuple[str, str], Set[Interval]]


def commit_block(
    job: RollupBlock,
    book: ReceiptBook,
    lines: list[str],
    totals: Mapping[str, int] | None,
    now: Clock,
    *,
    new_columns: Callable[[RollupBlock], Steps[Set[str]]],
    is_native: bool = False,
) -> Steps[Committed]:
    """Write, verify and commit a block.

    :param lines: the records that make its windows WRITING
    :param totals: source points of each field; None when the block is only a part of what was counted
    :param new_columns: asks for the columns that the block would have by now, and does not have
    :param is_native: whether tasks of InfluxDB compute it
    :raises OutdatedPlanError: when another run has written some of these
    """
    began = now()
    if totals is None:
        totals = yield from _mark_and_count(job, lines)
    else:
        yield from ask(Write(job.spec.ledger_bucket, lines))
        totals = {name: totals[name] for name in job.fields if name in totals}
    try:
        if is_native:
            yield from remove_leftovers(job, book, now)
        verdict, too_large, book, below = yield from _write_until_right(
            job, book, totals, now, new_columns=new_columns, is_native=is_native
        )
    except InfluxRollupError as error:
        error.window = error.window or job.span
        error.written = error.written or "some rows may be; the windows stay WRITING in the ledger"
        error.fix = error.fix or rerun_advice(error)
        raise
    if verdict.off_grid:
        message = f"{verdict.off_grid} values of these fields lie on no window's start; they were left alone"
        yield from ask(Report(message, level="warning"))
    receipts = _receipts(job, book, verdict, below, began, now)
    fails = job.spec.empty_windows == "fail"
    kept = [receipt for receipt in receipts if receipt.rows_in or not fails]
    if kept:
        late = late_arrivals(job.spec, book.previous, kept)
        used = encode_spec_commit(job.spec.pipeline_name, job.spec.spec_hash(), now())
        yield from ask(Write(job.spec.ledger_bucket, [*encode_receipts(kept), *encode_lateness(late), used]))
    return Committed(kept, _lacking(job, too_large, verdict))


def _receipts(
    job: RollupBlock, book: ReceiptBook, verdict: Verification, below: Commits, began: datetime, now: Clock
) -> list[Receipt]:
    """The receipts of a block that was read back and is right."""
    seconds = (now() - began).total_seconds()
    held = verdict.rows.totals(job)
    return [
        book.committed(
            window,
            now(),
            rows_in=rows_in,
            rows_out=totals.rows_out,
            series=totals.series,
            checksum=totals.checksum,
            seconds=seconds,
            merged_from=lower,
        )
        for window, rows_in, totals, lower in zip(
            job.windows, verdict.rows_in, held, merged_from(job, below), strict=True
        )
    ]


def _lacking(
    job: RollupBlock, too_large: Mapping[str, set[int]], verdict: Verification
) -> dict[tuple[str, str], frozenset[Interval]]:
    """The windows in which columns lack a value, by column and reason."""
    return {
        (name, why): frozenset(job.windows[number] for number in numbers)
        for why, found in ((TOO_LARGE, too_large), (TOO_LONG, verdict.rows.too_long))
        for name, numbers in found.items()
    }


def _mark_and_count(job: RollupBlock, lines: list[str]) -> Steps[Mapping[str, int]]:
    """Make the windows WRITING, and count the source's points meanwhile."""
    mark = Write(job.spec.ledger_bucket, lines)
    if not job.fields:
        yield from ask(mark)
        return {}
    _, totals = yield from gather(mark, source_totals(job))
    return totals


def _write_until_right(
    job: RollupBlock,
    book: ReceiptBook,
    totals: Mapping[str, int],
    now: Clock,
    *,
    new_columns: Callable[[RollupBlock], Steps[Set[str]]],
    is_native: bool,
) -> Steps[tuple[Verification, Mapping[str, set[int]], ReceiptBook, Commits]]:
    """Write and verify until target and source agree; a source that never rests is an error.

    Several chains are several reads. A point that lands between two of them leaves a torn row, whose count may
    be the new one; only counts from before and after all of them show that nothing landed. A tier below that is rolled
    up again keeps its counts; its receipts show that.

    Another run may have claimed the windows meanwhile, and its rows may be newer than those of this one. Then they are
    claimed and rolled up again. A run that is overtaken after its last look commits in vain: the window is WRITING.

    :param totals: source points of each field, counted before
    :return: the last verdict, what was too large, the book with what was there when the windows were last claimed, and the
        commits of the tier below that the rows were merged from
    """
    why, taken = "", tuple[Interval, ...]()
    below = yield from commits_below(job)
    for number in range(MAX_ROUNDS):
        began = now()
        # what rests on InfluxDB's to() may never be what a query returns: the last round asks
        way = (
            NativeWay(job=job, book=book, now=now, round_number=number)
            if is_native and number + 1 < MAX_ROUNDS
            else None
        )
        written = yield from write_windows(job, totals, book, is_untouched=not number, way=way)
        taken, verdict = written.overtaken, None
        if not taken:
            verdict = yield from _verify(job, book, written, new_columns)
            taken = verdict.overtaken
        before, below = below, (yield from commits_below(job))
        if verdict is not None:
            if verdict.is_right and verdict.totals == totals and below == before and not taken:
                if written.aside:
                    yield from restore_set_aside(job, written.aside, is_last=True)
                seen = book.seeing(job.windows, verdict.claims)
                return verdict, written.computed.too_large(), seen, below
            totals = verdict.totals
        why = yield from _tell_why_again(verdict, taken)
        if taken and number + 1 < MAX_ROUNDS:
            book = yield from claim_again(book, job.windows, now() - began, now)
    raise _never_settled(job, why, taken)


def _never_settled(job: RollupBlock, why: str, taken: Sequence[Interval]) -> SourceChanging:
    if taken:
        what = f"other runs kept claiming windows of it while it was rolled up {MAX_ROUNDS} times ({why})"
        return SourceChanging(what, window=job.span, fix="run it again when the other run has ended")
    what = f"the source kept changing while it was rolled up {MAX_ROUNDS} times ({why})"
    fix = "raise lateness so that the window is at rest, and run it again"
    return SourceChanging(what, window=job.span, fix=fix)


def _verify(
    job: RollupBlock,
    book: ReceiptBook,
    written: Written,
    new_columns: Callable[[RollupBlock], Steps[Set[str]]],
) -> Steps[Verification]:
    """Compare target and source, and remove what nothing explains."""
    verdict = yield from verify_windows(job, book, written.computed, written.rows, written.totals)
    if verdict.stale.columns_by_key and not verdict.differences and not verdict.overtaken:
        unknown = verdict.stale.columns - {column.name for column in job.columns}
        if unknown and (newer := unknown & (yield from new_columns(job))):
            raise OutdatedPlanError(newer)
        removed = yield from delete_stale_rows(job, book, verdict.stale)
        # of a point that was there under two series keys one row may have been right
        again = written.rows.at(removed.columns_by_key)
        if again.columns:
            yield from ask(write_of_rows(job, again))
        if job.ownership.earlier:
            # what another pipeline has taken over meanwhile stays
            job = yield from with_neighbours(job)
        verdict = yield from verify_windows(job, book, written.computed, written.rows)
    return verdict


def _tell_why_again(verdict: Verification | None, taken: Sequence[Interval]) -> Steps[str]:
    """Tell why a block is rolled up again; the reasons, in short."""
    reasons = list(verdict.differences) if verdict else []
    for difference in reasons:
        yield from ask(Report(f"Target and source differ, rolling up again: {difference}", level="warning"))
    if taken:
        reasons.append(f"{taken[0]}: {OVERTAKEN}")
        yield from ask(Report(f"{reasons[-1]}; rolling up again", level="warning"))
    elif verdict is not None and verdict.is_right:
        reasons.append("points came")
        yield from ask(Report("Points came while the windows were read, rolling up again", level="warning"))
    return "; ".join(reasons) or "points came"
