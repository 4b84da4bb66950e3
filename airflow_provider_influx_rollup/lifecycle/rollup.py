"""Roll a run's windows up: plan, write, read back, remove ghosts, commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.aggregates.frame import frames_from_tables
from airflow_provider_influx_rollup.aggregates.selection import Selection
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxRollupError,
    SourceChanging,
    SourceIncomplete,
)
from airflow_provider_influx_rollup.flux.ledger_read import receipts_query, specs_query
from airflow_provider_influx_rollup.flux.source_read import field_totals_query, fields_query
from airflow_provider_influx_rollup.ledger.codec import (
    decode_receipts,
    decode_specs,
    encode_receipts,
    encode_spec,
)
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.clash import (
    StoredSpec,
    earlier_specs,
    newest_specs,
    require_no_clash,
    require_one_task,
)
from airflow_provider_influx_rollup.lifecycle.field_types import field_types, shard_parts
from airflow_provider_influx_rollup.lifecycle.frozen import require_kept, require_not_frozen
from airflow_provider_influx_rollup.lifecycle.ghosts import delete_ghosts
from airflow_provider_influx_rollup.lifecycle.job import INSTANT, Job, cut_blocks
from airflow_provider_influx_rollup.lifecycle.ownership import Claim, Ownership
from airflow_provider_influx_rollup.lifecycle.receipts import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.result import StageResult
from airflow_provider_influx_rollup.lifecycle.rollup_verify import (
    Verdict,
    totals_by_field,
    verify_windows,
)
from airflow_provider_influx_rollup.lifecycle.rollup_write import rollup_scripts, write_windows
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec, RunInfo
from airflow_provider_influx_rollup.lifecycle.steps import (
    Bucket,
    CheckWritable,
    EnsureBucket,
    FindBucket,
    Gather,
    Query,
    QueryArrow,
    Report,
    Step,
    Steps,
    Write,
)
from airflow_provider_influx_rollup.lifecycle.strangers import require_no_strangers
from airflow_provider_influx_rollup.lifecycle.survivors import restore_survivors
from airflow_provider_influx_rollup.lifecycle.waiting import Clock, wait_until_due
from airflow_provider_influx_rollup.windows.interval import Interval

STAGE = "rollup"
MOST_WINDOWS_PER_BLOCK = 500
MOST_PARTS_PER_QUERY = 100
MOST_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rollup is going to do.

    :param totals: source points of each field over all windows, counted before anything is written
    :param others: what other pipelines write to the same measurement
    """

    windows: tuple[Interval, ...]
    selection: Selection
    book: ReceiptBook
    ownership: Ownership
    source: Bucket
    totals: Mapping[str, int]
    others: tuple[Claim, ...]


def roll_up(
    spec: RollupSpec, interval: Interval, run: RunInfo, now: Clock, *, dry_run: bool = False
) -> Steps[StageResult]:
    """Roll up the windows of an interval so that the target is right, whatever was there before.

    :param interval: must be tiled exactly by the grid
    :param run: who runs it, for the ledger
    :param now: the clock, aware UTC
    :param dry_run: say what would be done and write nothing
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises WindowNotDue: when a window has not ended; its lateness is waited for
    :raises WindowFrozen: when retention has taken points of a window that was committed
    :raises SourceChanging: when points kept coming while the windows were read
    :raises SourceIncomplete: when a window is empty and ``empty_windows="fail"``
    """
    began = now()
    windows = tuple(spec.grid.grid().windows(interval))
    if not dry_run:
        yield from wait_until_due(windows, spec.lateness, began)
    plan = yield from _plan(spec, windows, run, began, dry_run=dry_run)
    whole = _job(spec, windows, plan.selection, plan.ownership)
    yield from require_not_frozen(whole, plan.book, plan.source, began)
    yield from require_no_strangers(whole, plan.book.unknown(windows), plan.others)
    notes = yield from _tell_plan(spec, interval, plan)
    if dry_run:
        yield from _tell_scripts(spec, plan)
        planned = [plan.book.receipt(window, State.PLANNED, now()) for window in windows]
        return StageResult(spec.pipeline_name, interval, planned, (now() - began).total_seconds(), notes)
    blocks = cut_blocks(windows, MOST_WINDOWS_PER_BLOCK)
    first_lines = _announcement(spec, plan, blocks, now)
    committed: list[Receipt] = []
    for number, block in enumerate(blocks):
        lines = plan.book.lines(block, State.WRITING, now()) if number else first_lines
        job = _job(spec, block, plan.selection, plan.ownership)
        totals = plan.totals if len(blocks) == 1 else None
        committed += yield from _commit_block(job, plan.book, lines, totals, now)
        if len(blocks) > 1:
            yield Report(f"Committed {len(committed)} of {len(windows)} windows")
    return StageResult(spec.pipeline_name, interval, committed, (now() - began).total_seconds(), notes)


def _plan(
    spec: RollupSpec, windows: tuple[Interval, ...], run: RunInfo, began: datetime, *, dry_run: bool
) -> Steps[Plan]:
    ledger_step = FindBucket(spec.ledger_bucket) if dry_run else EnsureBucket(spec.ledger_bucket)
    buckets = (FindBucket(spec.source_bucket), FindBucket(spec.target_bucket), ledger_step)
    source, target, ledger = yield Gather(buckets)
    for role, name, bucket in (
        ("source", spec.source_bucket, source),
        ("target", spec.target_bucket, target),
    ):
        if bucket is None:
            what = f"there is no {role} bucket {name!r}, or the token may not read it"
            fix = "create the bucket, correct its name, or give the token permission to read and write it"
            raise BucketNotFound(what, http_status=404, window=windows[0], written="nothing", fix=fix)
    require_kept(target, ledger, windows[0], began)
    job = _job(spec, windows, Selection((), ()), Ownership(Claim.of(spec)))
    steps: list[Step] = [
        CheckWritable(spec.target_bucket),
        Query(field_totals_query(job.source, job.read_interval)),
    ]
    if ledger is not None:
        known = receipts_query(spec.ledger_bucket, spec.pipeline_name, STAGE, job.target_interval)
        steps += [Query(known), Query(specs_query(spec.ledger_bucket))]
    parts = cut_blocks(shard_parts(job.read_interval, source.shard_group_seconds), MOST_PARTS_PER_QUERY)
    typed = [QueryArrow(fields_query(job.source, some)) for some in parts]
    answers = yield Gather((*steps, *typed))
    counted, tables = answers[1], [table for some in answers[len(steps) :] for table in some]
    previous, specs = answers[2 : len(steps)] or ([], [])
    stored = decode_specs(specs)
    require_no_clash(spec, stored)
    rules = spec.rules()
    selection = rules.select(field_types(frames_from_tables(tables), rules.names_for))
    receipts = {receipt.window: receipt for receipt in decode_receipts(previous)}
    require_one_task(spec, run, receipts.values())
    book = ReceiptBook(spec.ledger_bucket, spec.pipeline_name, STAGE, spec.spec_hash(), run, receipts)
    newest = newest_specs(spec, stored)
    others = tuple(Claim.of(other) for name, other in newest.items() if name != spec.pipeline_name)
    ownership = _ownership(spec, stored, others, receipts.values())
    return Plan(windows, selection, book, ownership, source, totals_by_field(counted), others)


def _ownership(
    spec: RollupSpec, stored: Sequence[StoredSpec], others: tuple[Claim, ...], previous: Iterable[Receipt]
) -> Ownership:
    """Windows that an earlier spec wrote, or may have, hold rows that only the earlier spec explains."""
    mine = Claim.of(spec)
    if all(receipt.is_committed and receipt.spec_hash == spec.spec_hash() for receipt in previous):
        return Ownership(mine)
    earlier = tuple(Claim.of(other) for other in earlier_specs(spec, stored))
    return Ownership(mine, earlier, others)


def _job(spec: RollupSpec, windows: tuple[Interval, ...], selection: Selection, ownership: Ownership) -> Job:
    grid = spec.grid.grid()
    if not grid.is_sliding:
        return Job(spec, windows, windows, selection.columns, ownership)
    # a sliding window belongs to the cell it stops in, so the interval starts with the first window's last cell
    last_cells = Interval(grid.floor(windows[0].stop - INSTANT), windows[-1].stop)
    return Job(spec, windows, tuple(grid.cells(last_cells)), selection.columns, ownership)


def _tell_plan(spec: RollupSpec, interval: Interval, plan: Plan) -> Steps[list[str]]:
    notes: list[str] = []
    columns = plan.selection.columns
    done = plan.book.committed_before(plan.windows)
    yield Report(
        f"Pipeline {spec.pipeline_name}: {len(plan.windows)} windows of {interval}, "
        f"{done} committed before, {len(columns)} columns"
    )
    if not columns:
        notes.append(
            f"no points of measurement {spec.measurement!r} that match in bucket {spec.source_bucket!r} in {interval}"
        )
    if plan.selection.skipped:
        notes.append(f"left out, the type does not fit: {'; '.join(plan.selection.skipped)}")
    changed = {r.spec_hash for r in plan.book.previous.values()} - {spec.spec_hash()}
    if changed:
        notes.append(
            f"the spec changed since {len(changed)} earlier version(s): the windows are computed anew"
        )
    for note in notes:
        yield Report(note, level="warning")
    return notes


def _tell_scripts(spec: RollupSpec, plan: Plan) -> Steps[None]:
    job = _job(spec, plan.windows, plan.selection, plan.ownership)
    in_influx, from_raw, from_parts = job.fields_by_way()
    for script in rollup_scripts(job, in_influx):
        yield Report(f"Dry run, would send:\n{script.flux}")
    for way, fields in (("raw points", from_raw), ("partial aggregates", from_parts)):
        if fields:
            yield Report(f"Dry run, would compute {', '.join(fields)} in the worker from {way}")


def _announcement(
    spec: RollupSpec, plan: Plan, blocks: Sequence[tuple[Interval, ...]], now: Clock
) -> list[str]:
    """The first block becomes WRITING; later windows PLANNED, unless the ledger knows them already."""
    later = plan.book.unknown(window for block in blocks[1:] for window in block)
    lines = [encode_spec(spec.pipeline_name, spec.spec_hash(), spec.as_json(), now())]
    lines += plan.book.lines(blocks[0], State.WRITING, now())
    return lines + plan.book.lines(later, State.PLANNED, now())


def _commit_block(
    job: Job, book: ReceiptBook, lines: list[str], totals: Mapping[str, int] | None, now: Clock
) -> Steps[list[Receipt]]:
    """Write, verify and commit a block.

    :param lines: the records that make its windows WRITING
    :param totals: source points of each field; None when the block is only a part of what was counted
    """
    began = now()
    if totals is None:
        totals = yield from _mark_and_count(job, lines)
    else:
        yield Write(job.spec.ledger_bucket, lines)
        totals = {name: totals[name] for name in job.fields if name in totals}
    try:
        if any(window in book.torn for window in job.windows):
            yield from restore_survivors(job)
        verdict = yield from _write_until_right(job, totals)
    except InfluxRollupError as error:
        error.window = error.window or job.span
        error.written = error.written or "some rows may be; the windows stay WRITING in the ledger"
        error.fix = error.fix or "run the windows again: a rerun makes them right"
        raise
    if verdict.off_grid:
        message = f"{verdict.off_grid} values of these fields lie on no window's start; they were left alone"
        yield Report(message, level="warning")
    seconds = (now() - began).total_seconds()
    receipts = [
        book.committed(
            window,
            now(),
            rows_in=rows_in,
            rows_out=held.rows_out,
            series=held.series,
            checksum=held.checksum,
            seconds=seconds,
        )
        for window, rows_in, held in zip(job.windows, verdict.rows_in, verdict.rows.totals(job), strict=True)
    ]
    empty = [receipt.window for receipt in receipts if not receipt.rows_in]
    fails = job.spec.empty_windows == "fail"
    kept = [receipt for receipt in receipts if receipt.rows_in or not fails]
    if kept:
        yield Write(job.spec.ledger_bucket, encode_receipts(kept))
    if fails and empty:
        what = f"{len(empty)} of {len(receipts)} windows have no points"
        raise SourceIncomplete(
            what, window=empty[0], written=f"{len(kept)} windows are committed", fix="send the data"
        )
    return receipts


def _mark_and_count(job: Job, lines: list[str]) -> Steps[Mapping[str, int]]:
    """Make the windows WRITING, and count the source's points meanwhile."""
    mark = Write(job.spec.ledger_bucket, lines)
    if not job.fields:
        yield mark
        return {}
    count = Query(field_totals_query(job.source, job.read_interval, job.fields))
    _, rows = yield Gather((mark, count))
    return totals_by_field(rows)


def _write_until_right(job: Job, totals: Mapping[str, int]) -> Steps[Verdict]:
    """Write and verify until target and source agree; a source that never rests is an error.

    Several chains are several reads. A point that lands between two of them leaves a torn row, whose count may
    be the new one; only counts from before and after all of them show that nothing landed.

    :param totals: source points of each field, counted before
    """
    verdict = None
    for _ in range(MOST_ROUNDS):
        written = yield from write_windows(job, totals)
        verdict = yield from verify_windows(job, written)
        if verdict.ghosts.columns_by_key and not verdict.differences:
            yield from delete_ghosts(job, verdict.ghosts)
            verdict = yield from verify_windows(job, written)
        if verdict.is_right and verdict.totals == totals:
            return verdict
        if verdict.is_right:
            yield Report("Points came while the windows were read, rolling up again", level="warning")
        totals = verdict.totals
        for difference in verdict.differences:
            yield Report(f"Target and source differ, rolling up again: {difference}", level="warning")
    details = "; ".join(verdict.differences) if verdict and verdict.differences else "points came"
    what = f"the source kept changing while it was rolled up {MOST_ROUNDS} times ({details})"
    raise SourceChanging(
        what, window=job.span, fix="raise lateness so that the window is at rest, and run it again"
    )


def steps_from_job(job: Mapping[str, Any], now: Clock) -> Steps[StageResult]:
    """The verb from plain values, for triggers.

    :param job: ``spec``, one of ``intervals``, ``run_info``, as JSON
    :param now: the clock, aware UTC
    """
    interval = Interval.from_json(job["intervals"][0])
    return roll_up(RollupSpec.from_json(job["spec"]), interval, RunInfo(**job["run_info"]), now)
