"""Roll a run's windows up: plan, write, read back, remove ghosts, commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_influx_rollup.aggregates.frame import frames_from_tables
from airflow_provider_influx_rollup.aggregates.selection import Selection
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxRollupError,
    SourceChanging,
    SourceIncomplete,
    WindowNotDue,
)
from airflow_provider_influx_rollup.flux.ledger_read import receipts_query, specs_query
from airflow_provider_influx_rollup.flux.source_read import fields_query
from airflow_provider_influx_rollup.ledger.codec import decode_receipts, decode_specs, encode_receipts, encode_spec
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.clash import require_no_clash
from airflow_provider_influx_rollup.lifecycle.field_types import field_types
from airflow_provider_influx_rollup.lifecycle.ghosts import delete_ghosts
from airflow_provider_influx_rollup.lifecycle.job import INSTANT, Job, cut_blocks
from airflow_provider_influx_rollup.lifecycle.result import StageResult
from airflow_provider_influx_rollup.lifecycle.rollup_verify import Verdict, verify_windows
from airflow_provider_influx_rollup.lifecycle.rollup_write import rollup_scripts, write_windows
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec, RunInfo
from airflow_provider_influx_rollup.lifecycle.steps import (
    EnsureBucket,
    FindBucket,
    Gather,
    Query,
    QueryArrow,
    Report,
    Steps,
    Write,
)
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.lateness import due_at

STAGE = "rollup"
MOST_WINDOWS_PER_BLOCK = 500
MOST_ROUNDS = 3
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rollup is going to do.

    :param previous: receipts there are already, by window
    """

    windows: tuple[Interval, ...]
    selection: Selection
    previous: Mapping[Interval, Receipt]


def roll_up(spec: RollupSpec, interval: Interval, run: RunInfo, now: Clock, *, dry_run: bool = False) -> Steps[StageResult]:
    """Roll up the windows of an interval so that the target is right, whatever was there before.

    :param interval: must be tiled exactly by the grid
    :param run: who runs it, for the ledger
    :param now: the clock, aware UTC
    :param dry_run: say what would be done and write nothing
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises WindowNotDue: when the lateness has not passed
    :raises SourceChanging: when points kept coming while the windows were read
    :raises SourceIncomplete: when a window is empty and ``empty_windows="fail"``
    """
    began = now()
    windows = tuple(spec.grid.grid().windows(interval))
    require_due(spec, windows, began)
    plan = yield from _plan(spec, windows, dry_run=dry_run)
    notes = yield from _tell_plan(spec, interval, plan)
    if dry_run:
        yield from _tell_scripts(spec, plan)
        planned = [_receipt(spec, run, window, State.PLANNED, now(), plan) for window in windows]
        return StageResult(spec.pipeline_name, interval, planned, (now() - began).total_seconds(), notes)
    blocks = cut_blocks(windows, MOST_WINDOWS_PER_BLOCK)
    yield from _announce(spec, run, plan, blocks, now)
    committed: list[Receipt] = []
    for number, block in enumerate(blocks):
        if number:
            yield Write(spec.ledger_bucket, _encode(spec, run, block, State.WRITING, now(), plan))
        committed += yield from _commit_block(_job(spec, block, plan), run, plan, now)
        if len(blocks) > 1:
            yield Report(f"Committed {len(committed)} of {len(windows)} windows")
    return StageResult(spec.pipeline_name, interval, committed, (now() - began).total_seconds(), notes)


def require_due(spec: RollupSpec, windows: Sequence[Interval], now: datetime) -> None:
    """Refuse windows whose stop + lateness has not passed.

    :raises WindowNotDue: naming the time from which the last window may be rolled up
    """
    due = due_at(windows[-1], Duration.of(spec.lateness, allow_zero=True))
    if now < due:
        what = f"the window may be rolled up from {format_instant(due)} on (lateness {spec.lateness})"
        fix = "wait with WindowCompleteSensor, let the task retry, or lower lateness"
        raise WindowNotDue(what, window=windows[-1], written="nothing", fix=fix)


def _plan(spec: RollupSpec, windows: tuple[Interval, ...], *, dry_run: bool) -> Steps[Plan]:
    ledger_step = FindBucket(spec.ledger_bucket) if dry_run else EnsureBucket(spec.ledger_bucket)
    buckets = (FindBucket(spec.source_bucket), FindBucket(spec.target_bucket), ledger_step)
    source, target, ledger = yield Gather(buckets)
    for role, name, bucket in (("source", spec.source_bucket, source), ("target", spec.target_bucket, target)):
        if bucket is None:
            what = f"there is no {role} bucket {name!r}, or the token may not read it"
            fix = "create the bucket, correct its name, or give the token permission to read and write it"
            raise BucketNotFound(what, http_status=404, window=windows[0], written="nothing", fix=fix)
    job = _job(spec, windows, Plan(windows, Selection((), ()), {}))
    fields_step = QueryArrow(fields_query(job.source, job.read_interval))
    if ledger is None:
        tables, previous, specs = (yield fields_step), [], []
    else:
        starts = Interval(windows[0].start, windows[-1].start + INSTANT)
        known = receipts_query(spec.ledger_bucket, spec.pipeline_name, STAGE, starts)
        tables, previous, specs = yield Gather(
            (fields_step, Query(known), Query(specs_query(spec.ledger_bucket)))
        )
    require_no_clash(spec, decode_specs(specs))
    selection = spec.rules().select(field_types(frames_from_tables(tables)))
    receipts = {receipt.window: receipt for receipt in decode_receipts(previous)}
    return Plan(windows, selection, receipts)


def _job(spec: RollupSpec, windows: tuple[Interval, ...], plan: Plan) -> Job:
    grid = spec.grid.grid()
    if not grid.is_sliding:
        return Job(spec, windows, windows, plan.selection.columns)
    # a sliding window stops in the interval it belongs to: the interval starts one cell before the first stop
    first_cell = grid.cells(Interval(grid.floor(windows[0].stop - INSTANT), windows[-1].stop))
    return Job(spec, windows, tuple(first_cell), plan.selection.columns)


def _tell_plan(spec: RollupSpec, interval: Interval, plan: Plan) -> Steps[list[str]]:
    notes: list[str] = []
    columns = plan.selection.columns
    done = sum(1 for window in plan.windows if window in plan.previous and plan.previous[window].is_committed)
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
    changed = {r.spec_hash for r in plan.previous.values()} - {spec.spec_hash()}
    if changed:
        notes.append(f"the spec changed since {len(changed)} earlier version(s): the windows are computed anew")
    for note in notes:
        yield Report(note, level="warning")
    return notes


def _tell_scripts(spec: RollupSpec, plan: Plan) -> Steps[None]:
    job = _job(spec, plan.windows, plan)
    in_influx, from_raw, from_parts = job.fields_by_way()
    for script in rollup_scripts(job, in_influx):
        yield Report(f"Dry run, would send:\n{script}")
    for way, fields in (("raw points", from_raw), ("partial aggregates", from_parts)):
        if fields:
            yield Report(f"Dry run, would compute {', '.join(fields)} in the worker from {way}")


def _announce(
    spec: RollupSpec, run: RunInfo, plan: Plan, blocks: Sequence[tuple[Interval, ...]], now: Clock
) -> Steps[None]:
    """The first block becomes WRITING; later windows PLANNED, unless the ledger knows them already."""
    later = [window for block in blocks[1:] for window in block if window not in plan.previous]
    lines = [encode_spec(spec.pipeline_name, spec.spec_hash(), spec.as_json(), now())]
    lines += _encode(spec, run, blocks[0], State.WRITING, now(), plan)
    lines += _encode(spec, run, later, State.PLANNED, now(), plan)
    yield Write(spec.ledger_bucket, lines)


def _commit_block(job: Job, run: RunInfo, plan: Plan, now: Clock) -> Steps[list[Receipt]]:
    began = now()
    try:
        verdict = yield from _write_until_right(job)
    except InfluxRollupError as error:
        error.window = error.window or job.span
        error.written = error.written or "some rows may be; the windows stay WRITING in the ledger"
        error.fix = error.fix or "run the windows again: a rerun makes them right"
        raise
    if verdict.target.off_grid:
        message = f"{verdict.target.off_grid} values of these fields lie on no window's start; they were left alone"
        yield Report(message, level="warning")
    seconds = (now() - began).total_seconds()
    receipts = [
        replace(
            _receipt(job.spec, run, window, State.COMMITTED, now(), plan),
            generation=_generation(plan, window) + 1,
            rows_in=rows_in,
            rows_out=totals.rows_out,
            series=totals.series,
            checksum=totals.checksum,
            seconds=seconds,
        )
        for window, rows_in, totals in zip(job.windows, verdict.rows_in, verdict.target.totals(job), strict=True)
    ]
    empty = [receipt.window for receipt in receipts if not receipt.rows_in]
    fails = job.spec.empty_windows == "fail"
    kept = [receipt for receipt in receipts if receipt.rows_in or not fails]
    if kept:
        yield Write(job.spec.ledger_bucket, encode_receipts(kept))
    if fails and empty:
        what = f"{len(empty)} of {len(receipts)} windows have no points"
        raise SourceIncomplete(what, window=empty[0], written=f"{len(kept)} windows are committed", fix="send the data")
    return receipts


def _write_until_right(job: Job) -> Steps[Verdict]:
    """Write and verify until target and source agree; a source that never rests is an error."""
    verdict = None
    for _ in range(MOST_ROUNDS):
        written = yield from write_windows(job)
        verdict = yield from verify_windows(job, written)
        if verdict.ghosts.columns_by_key and not verdict.differences:
            yield from delete_ghosts(job, verdict.ghosts)
            verdict = yield from verify_windows(job, written)
        if verdict.is_right:
            return verdict
        for difference in verdict.differences:
            yield Report(f"Target and source differ, rolling up again: {difference}", level="warning")
    details = "; ".join(verdict.differences) if verdict else ""
    what = f"the source kept changing while it was rolled up {MOST_ROUNDS} times ({details})"
    raise SourceChanging(what, window=job.span, fix="raise lateness so that the window is at rest, and run it again")


def _generation(plan: Plan, window: Interval) -> int:
    previous = plan.previous.get(window)
    return previous.generation if previous else 0


def _receipt(
    spec: RollupSpec, run: RunInfo, window: Interval, state: State, now: datetime, plan: Plan
) -> Receipt:
    return Receipt(
        pipeline=spec.pipeline_name,
        stage=STAGE,
        window=window,
        state=state,
        written_at=now,
        generation=_generation(plan, window),
        spec_hash=spec.spec_hash(),
        dag_id=run.dag_id,
        task_id=run.task_id,
        run_id=run.run_id,
        try_number=run.try_number,
        map_index=run.map_index,
    )


def _encode(
    spec: RollupSpec, run: RunInfo, windows: Sequence[Interval], state: State, now: datetime, plan: Plan
) -> list[str]:
    return encode_receipts(_receipt(spec, run, window, state, now, plan) for window in windows)
