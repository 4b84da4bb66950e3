"""Make the stored rows of a pipeline equal to what its source gives now, and write nothing but what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.ledger.lateness import encode_check
from airflow_provider_influx_rollup.lifecycle.completeness.incomplete_windows import unmark
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import (
    load_stored,
    parents_of,
    rollups_in_force,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.incomplete import finished_windows, look_again
from airflow_provider_influx_rollup.lifecycle.reconcile.not_ready import windows_not_ready
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile_run import ReconcileRun
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult, SkippedWindow
from airflow_provider_influx_rollup.lifecycle.reconcile.scope import due_windows
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import REPAIR, ReconcileOptions
from airflow_provider_influx_rollup.lifecycle.reconcile.sweep import Sweep
from airflow_provider_influx_rollup.lifecycle.rollup.plan import plan_rollup
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.reasons import RECONCILE
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import unless_told
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
    whole = ReconcileRun(spec=as_known(spec, stored), info=run, now=now, stored=stored, options=options)
    result = yield from reconcile_windows(whole, windows)
    result.interval = interval
    return result


def reconcile_windows(run: ReconcileRun, windows: Sequence[Interval]) -> Steps[ReconcileResult]:
    """Reconcile some windows of one pipeline.

    :param windows: due, in ascending order; there may be gaps between them
    """
    began = run.now()
    result = ReconcileResult(spec=run.spec, mode=run.options.mode, interval=None)
    if windows:
        parents = parents_of(run.spec, rollups_in_force(run.stored))
        not_ready = yield from windows_not_ready(run.spec, windows, parents, run.stored)
        ready = tuple(window for window in windows if window not in not_ready)
        if ready:
            result = yield from _swept(run, ready)
        waiting = [SkippedWindow(window, why) for window, why in not_ready.items()]
        result.waiting, result.interval = waiting + result.waiting, Interval.spanning(windows)
    result.seconds = (run.now() - began).total_seconds()
    yield from ask(Report(_text_of(result), level="info" if result.is_clean else "warning"))
    return result


def _swept(run: ReconcileRun, windows: tuple[Interval, ...]) -> Steps[ReconcileResult]:
    """Compare windows whose source is ready, and repair them."""
    run = replace(run, info=replace(run.info, reason=RECONCILE))
    is_plan = run.options.is_plan
    plan = yield from plan_rollup(run.spec, windows, run.info, dry_run=True, only_reads=is_plan)
    run = replace(run, spec=plan.spec)
    sweep = Sweep.of(run, plan)
    result = sweep.result
    dropped = dropped_windows(windows, plan.target, run.now())
    # what was purged can be neither compared nor repaired: what was rolled up is all that is left
    purged = purged_windows(windows, plan.purged)
    done = {window: error for window, error in purged.items() if sweep.reason_of_receipt(window) is None}
    torn = {window: error for window, error in purged.items() if window not in done}
    result.purged += _skipped(done)
    result.frozen += [*_skipped(dropped), *_skipped(torn), *_skipped(plan.poorer)]
    chosen = [window for window in windows if window not in purged and window not in plan.poorer]
    # windows that touch are read together; a gap between them is not read at all
    neighbours = runs_of_neighbours([window for window in chosen if window not in dropped])
    runs, mixed = plan.types.runs_of_one_type(neighbours)
    result.failed.update(mixed)
    began = run.now()
    receipts = [one for window, one in plan.book.previous.items() if window in set(chosen)]
    marked = yield from look_again(receipts, began)
    with unless_told("nothing" if is_plan else "the windows that were repaired before it are COMMITTED"):
        for some in runs:
            yield from sweep.sweep(some)
    finished = finished_windows(marked, result)
    result.incomplete = [SkippedWindow(one.window, one.incomplete) for one in marked.incomplete]
    result.finished = [one.window for one in finished]
    if not is_plan:
        yield from unmark(run.spec.ledger_bucket, finished)
    if not is_plan and run.spec.source_tier is None:
        dirty = {change.window for change in result.dirty}
        clean = [window for some in runs for window in some if window not in dirty]
        # a report of late points then knows that what comes late to these windows comes after this look
        lines = encode_check(run.spec.pipeline_name, clean, began)
        if lines:
            yield from ask(Write(run.spec.ledger_bucket, lines))
    return result


def _skipped(errors: Mapping[Interval, InfluxRollupError]) -> list[SkippedWindow]:
    return [SkippedWindow(window, error.what) for window, error in errors.items()]


def _text_of(result: ReconcileResult) -> str:
    done = result.repaired
    text = (
        f"Pipeline {result.spec.pipeline_name}: {result.windows} windows compared, {len(result.dirty)} dirty"
    )
    if done.windows or done.unsettled:
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
