"""A pipeline and every tier above it: what is repaired below is looked at above, the lowest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError, ReceiptMissing
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import (
    children_of,
    find_pipeline,
    load_stored,
    parents_of,
    rollups_in_force,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import find_tier_below
from airflow_provider_influx_rollup.lifecycle.reconcile.explain import Change
from airflow_provider_influx_rollup.lifecycle.reconcile.reasons import Reason
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile_run import ReconcileRun
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult, SkippedWindow
from airflow_provider_influx_rollup.lifecycle.reconcile.scope import due_windows, interval_back
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile_windows
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.run.window_errors import failures_as_one
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.lateness import is_due

MAX_DAYS_OF_A_MONTH = 31


def reconcile_pipeline(
    spec: ReconcileSpec, interval: Interval | None, run: RunInfo, now: Clock
) -> Steps[ReconcileResult]:
    """Reconcile a pipeline by its name, and then the tiers above it.

    :param interval: what to look at; None: the spec's lookback
    :param run: who runs it, for the ledger
    :param now: the clock, aware UTC
    :raises ConfigurationError: when the ledger knows no such pipeline, it is a script, or the source does not keep its
        points as long as the lookback reaches
    :raises WindowsFailed: when some windows could not be repaired, after all others were
    """
    stored = yield from load_stored(spec.ledger_bucket)
    rollup = as_known(spec.rollup or find_pipeline(spec.pipeline, spec.ledger_bucket, stored), stored)
    if interval is None:
        interval = yield from interval_back(rollup, str(spec.lookback), now())
    if interval is None:
        yield from ask(
            Report(f"Pipeline {rollup.pipeline_name}: no window of the last {spec.lookback} is due")
        )
        return ReconcileResult(spec=rollup, mode=spec.options.mode, interval=None)
    whole = ReconcileRun(spec=rollup, info=run, now=now, stored=stored, options=spec.options)
    result = yield from reconcile_windows(whole, due_windows(rollup, interval, now()))
    result.interval = interval
    if spec.cascade:
        # tiers are not bounded: a window left out here would never be looked at again
        whole = replace(whole, options=replace(spec.options, max_windows=None))
        result.cascaded = yield from _cascade(whole, interval, result, spec.above)
    _raise_failures(result)
    return result


def _cascade(
    run: ReconcileRun, interval: Interval, result: ReconcileResult, above: Sequence[RollupSpec]
) -> Steps[list[ReconcileResult]]:
    """Reconcile the windows of higher tiers that hold rows of the interval.

    All that were ever rolled up, not only those with a change below: a person may have altered a tier's own rows, a run
    may have died between one tier and the next, or a tier was run again by hand and the next one was not.

    :param above: higher tiers as they are declared, in place of what the ledger has of them
    """
    rollup = run.spec
    if result.repaired.windows:
        # windows that were rolled up again may have brought another spec
        run = replace(run, stored=(yield from load_stored(rollup.ledger_bucket)))
    declared = [as_known(one, run.stored) for one in above]
    # a plan has committed nothing under the spec that it is about
    run = replace(
        run, stored=_in_force([*declared, result.spec] if run.options.is_plan else declared, run.stored)
    )
    pipelines = {**rollups_in_force(run.stored), rollup.pipeline_name: rollup}
    touched = {rollup.pipeline_name: _touched_by(result)}
    cascaded: list[ReconcileResult] = []
    for tier in tiers_above(rollup, pipelines):
        below = [parent for parent in parents_of(tier, pipelines) if parent.pipeline_name in touched]
        starts = [window.start for parent in below for window in touched[parent.pipeline_name]]
        moved = windows_of_rows(tier, starts)
        known = yield from _rolled_up(tier, interval)
        windows = _due(tier, {*moved, *known}, run.now())
        touched[tier.pipeline_name] = []
        if not windows:
            continue
        why = _why_unreadable(tier, run.stored)
        if why:
            yield from ask(
                Report(f"Pipeline {tier.pipeline_name}: {len(windows)} windows wait: {why}", level="warning")
            )
            cascaded.append(_all_waiting(run, tier, windows, why))
            continue
        found = yield from reconcile_windows(replace(run, spec=tier), windows)
        if run.options.is_plan:
            found = _with_planned(found, [window for window in windows if window in set(moved)])
        touched[tier.pipeline_name] = _touched_by(found)
        cascaded.append(found)
    return cascaded


def _in_force(specs: Iterable[RollupSpec], stored: Sequence[StoredSpec]) -> list[StoredSpec]:
    """Specs of a ledger, with some that are in force whatever it has."""
    first = [StoredSpec.of(one) for one in specs]
    known = {one.key for one in first}
    return [*first, *(one for one in stored if one.key not in known)]


def _why_unreadable(tier: RollupSpec, stored: Sequence[StoredSpec]) -> str:
    """Reason why a tier cannot be made of the tier below as that is now, such as an aggregate that has left it."""
    if tier.source_tier is None:
        return ""
    try:
        find_tier_below(tier, stored)
    except (ConfigurationError, ReceiptMissing) as error:
        return f"{error.what}; run pipeline {tier.pipeline_name!r} as it is declared now, the next reconcile does the rest"
    return ""


def _all_waiting(
    run: ReconcileRun, tier: RollupSpec, windows: Sequence[Interval], why: str
) -> ReconcileResult:
    waiting = [SkippedWindow(window, why) for window in windows]
    span = Interval.spanning(windows)
    return ReconcileResult(spec=tier, mode=run.options.mode, interval=span, waiting=waiting)


def tiers_above(rollup: RollupSpec, pipelines: Mapping[str, RollupSpec]) -> list[RollupSpec]:
    """Every pipeline that reads this one's target, or that of one which does, each after all that it reads."""
    ordered: list[RollupSpec] = []
    seen = {rollup.pipeline_name}

    def visit(spec: RollupSpec) -> None:
        for child in children_of(spec, pipelines):
            if child.pipeline_name not in seen:
                seen.add(child.pipeline_name)
                visit(child)
                ordered.append(child)

    visit(rollup)
    return ordered[::-1]


def windows_of_rows(tier: RollupSpec, instants: Iterable[datetime]) -> list[Interval]:
    """The windows of a tier that read rows at some instants.

    :param instants: the times of rows of the tier below
    """
    grid = tier.grid.grid()
    found: dict[Interval, None] = {}
    for instant in sorted(set(instants)):
        found |= dict.fromkeys(_windows_at(grid, instant))
    return list(found)


def _windows_at(grid: Grid, instant: datetime) -> list[Interval]:
    cell = grid.window_at(instant)
    if not grid.is_sliding:
        return [cell]
    stop = cell.stop
    for _ in range(grid.cells_per_window - 1):
        stop = grid.window_at(stop).stop
    return grid.windows(Interval(cell.start, stop))


def _due(tier: RollupSpec, windows: Iterable[Interval], now: datetime) -> list[Interval]:
    lateness = Duration.of(tier.lateness, allow_zero=True)
    return sorted(window for window in windows if is_due(window, lateness, now))


def _touched_by(result: ReconcileResult) -> list[Interval]:
    """Windows whose rows have changed, or would in a repair."""
    return [change.window for change in result.dirty]


def _rolled_up(tier: RollupSpec, interval: Interval) -> Steps[list[Interval]]:
    """The windows that a run has begun or finished.

    :param interval: what is looked at in the lowest tier
    """
    grid = tier.grid.grid()
    span = Interval(grid.floor(interval.start), grid.ceil(interval.stop))
    return [receipt.window for receipt in (yield from _receipts(tier, span))]


def _receipts(spec: RollupSpec, span: Interval) -> Steps[list[Receipt]]:
    reach = Interval(span.start - _overlap(spec), span.stop)
    query = ReceiptsOf(spec.ledger_bucket, spec.pipeline_name, ROLLUP, reach)
    return (yield from ask(query))


def _overlap(spec: RollupSpec) -> timedelta:
    """Longest time before an instant at which a window that holds it may start."""
    grid = spec.grid.grid()
    if not grid.is_sliding:
        return timedelta()
    return timedelta(days=MAX_DAYS_OF_A_MONTH * grid.period.months) or grid.period.timedelta


def _with_planned(found: ReconcileResult, windows: Sequence[Interval]) -> ReconcileResult:
    """A plan cannot compare with rows that are not repaired yet: it names the windows that would be looked at."""
    known = {change.window for change in found.dirty}
    planned = [Change(window=one, reasons=(Reason.TIER_BELOW,)) for one in windows if one not in known]
    return replace(
        found,
        waiting=[left for left in found.waiting if left.window not in windows],
        dirty=sorted([*found.dirty, *planned], key=lambda change: change.window),
    )


def _raise_failures(result: ReconcileResult) -> None:
    """One error for the windows that could not be repaired."""
    for one in (result, *result.cascaded):
        if one.failed:
            windows = sorted({*one.repaired.windows, *one.failed})
            raise failures_as_one(windows, one.failed, None, len(one.repaired.windows))


def steps_from_job(job: Mapping[str, Any], now: Clock) -> Steps[ReconcileResult]:
    """The verb from plain values, for triggers.

    :param job: ``spec``, at most one of ``intervals``, ``run_info``, as JSON
    :param now: the clock, aware UTC
    """
    interval = Interval.from_json(job["intervals"][0]) if job["intervals"] else None
    return reconcile_pipeline(ReconcileSpec.from_json(job["spec"]), interval, RunInfo(**job["run_info"]), now)
