"""Make the stored rows of a pipeline equal to what its source gives now, and write nothing but what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.ledger.lateness import encode_check
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import (
    load_stored,
    parents_of,
    rollups_in_force,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.block_size import BlockSizer
from airflow_provider_influx_rollup.lifecycle.reconcile.incomplete import finish_marked, look_again
from airflow_provider_influx_rollup.lifecycle.reconcile.not_ready import windows_not_ready
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult, SkippedWindow
from airflow_provider_influx_rollup.lifecycle.reconcile.scope import due_windows
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import REPAIR, ReconcileOptions
from airflow_provider_influx_rollup.lifecycle.reconcile.sweep import Sweep
from airflow_provider_influx_rollup.lifecycle.rollup.plan import Plan, plan_rollup
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.reasons import RECONCILE
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.source.retention import dropped_windows
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import runs_of_neighbours
from airflow_provider_influx_rollup.windows.interval import Interval


def reconcile(
    spec: RollupSpec,
    interval: Interval,
    run: RunInfo,
    now: Clock,
    *,
    mode: str = REPAIR,
    strict: bool | None = None,
    max_windows: int | None = None,
) -> Steps[ReconcileResult]:
    """Compare the stored rows of one pipeline with its source, and repair the series and windows that differ.

    Windows that were never committed, or under an earlier spec, are rolled up. Windows that are not due are left out.

    :param interval: must be tiled exactly by the grid
    :param run: who runs it, for the ledger
    :param now: the clock, aware UTC
    :param mode: ``"repair"``, or ``"plan"``, which writes nothing
    :param strict: whether aggregates of the raw points are recomputed too, see ``ReconcileOptions``
    :param max_windows: most windows that are repaired, the oldest first; None: all
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises ConfigurationError: when another pipeline writes the same columns, or this one had another grid
    """
    options = ReconcileOptions(mode, strict, max_windows)
    windows = due_windows(spec, interval, now())
    stored = yield from load_stored(spec.ledger_bucket)
    spec = as_known(spec, stored)
    result = yield from reconcile_windows(spec, windows, run, now, options, stored)
    result.interval = interval
    return result


def reconcile_windows(
    spec: RollupSpec,
    windows: Sequence[Interval],
    run: RunInfo,
    now: Clock,
    options: ReconcileOptions,
    stored: Sequence[StoredSpec],
) -> Steps[ReconcileResult]:
    """Reconcile some windows of one pipeline.

    :param windows: due, in ascending order; there may be gaps between them
    :param stored: the specs of the ledger, the last used first
    """
    began = now()
    result = ReconcileResult(spec=spec, mode=options.mode, interval=None)
    if windows:
        parents = parents_of(spec, rollups_in_force(stored))
        not_ready = yield from windows_not_ready(spec, windows, parents, stored)
        result.waiting += [SkippedWindow(window, why) for window, why in not_ready.items()]
        ready = tuple(window for window in windows if window not in not_ready)
        yield from _sweep(spec, ready, run, now, options, result)
        result.interval = Interval.spanning(windows)
    result.seconds = (now() - began).total_seconds()
    yield from ask(Report(_text_of(result), level="info" if result.is_clean else "warning"))
    return result


def _sweep(
    spec: RollupSpec,
    windows: tuple[Interval, ...],
    run: RunInfo,
    now: Clock,
    options: ReconcileOptions,
    result: ReconcileResult,
) -> Steps[None]:
    if not windows:
        return
    run = replace(run, reason=RECONCILE)
    plan = yield from plan_rollup(spec, windows, run, dry_run=True, only_reads=options.is_plan)
    spec = plan.spec
    dropped = dropped_windows(windows, plan.target, now())
    result.frozen += [SkippedWindow(window, error.what) for window, error in dropped.items()]
    purged = _put_purged_aside(windows, plan, result)
    result.frozen += [SkippedWindow(window, error.what) for window, error in plan.poorer.items()]
    purged |= set(plan.poorer)
    # windows that touch are read together; a gap between them is not read at all
    neighbours = runs_of_neighbours([w for w in windows if w not in dropped and w not in purged])
    runs, mixed = plan.types.runs_of_one_type(neighbours)
    result.failed.update(mixed)
    sweep = Sweep(
        spec=spec,
        plan=plan,
        run=run,
        options=options,
        now=now,
        result=result,
        sizer=BlockSizer.of(spec, plan.book.previous),
    )
    began = now()
    chosen = set(windows) - purged
    marked = yield from look_again((r for window, r in plan.book.previous.items() if window in chosen), began)
    for some in runs:
        yield from sweep.sweep(some)
    yield from finish_marked(spec.ledger_bucket, marked, result, is_plan=options.is_plan)
    if not options.is_plan and spec.source_tier is None:
        dirty = {change.window for change in result.dirty}
        clean = [window for some in runs for window in some if window not in dirty]
        # a report of late points then knows that what comes late to these windows comes after this look
        lines = encode_check(spec.pipeline_name, clean, began)
        if lines:
            yield from ask(Write(spec.ledger_bucket, lines))


def _put_purged_aside(windows: Sequence[Interval], plan: Plan, result: ReconcileResult) -> set[Interval]:
    """Windows whose points were purged can be neither compared nor repaired: what was rolled up is all that is left."""
    purged = purged_windows(windows, plan.purged)
    for window, error in purged.items():
        receipt = plan.book.previous.get(window)
        is_done = receipt is not None and receipt.is_committed and receipt.spec_hash == plan.book.spec_hash
        (result.purged if is_done else result.frozen).append(SkippedWindow(window, error.what))
    return set(purged)


def _text_of(result: ReconcileResult) -> str:
    done = result.repaired
    text = (
        f"Pipeline {result.spec.pipeline_name}: {result.windows} windows compared, {len(result.dirty)} dirty"
    )
    if done.windows:
        text += f", {len(done.windows)} repaired ({done.rows} rows, {done.values} values written, {done.deleted} removed)"
    for name, left in (
        ("frozen", result.frozen),
        ("waiting for the tier below", result.waiting),
        ("failed", result.failed),
        ("still changing", done.unsettled),
        ("with an incomplete source", result.incomplete),
        ("left as they are, for their points were purged", result.purged),
    ):
        if left:
            text += f", {len(left)} {name}"
    return text + (f", {result.remaining} left for the next run" if result.remaining else "")
