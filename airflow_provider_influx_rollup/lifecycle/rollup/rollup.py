"""Roll a run's windows up: heal what is missing before them, plan, write, read back, remove stale rows, commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.native_choice import require_native
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.heal import HealResult, heal_before, plan_healing
from airflow_provider_influx_rollup.lifecycle.rollup.plan import tell_scripts
from airflow_provider_influx_rollup.lifecycle.rollup.prepare import prepare_windows
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.rollup.windows import roll_up_windows
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock, wait_until_due
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stage_result import StageResult
from airflow_provider_influx_rollup.lifecycle.run.window_errors import failures_as_one
from airflow_provider_influx_rollup.lifecycle.source.measurements import unknown_measurement
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

DEFAULT_OPTIONS = RollupOptions()


def roll_up(
    spec: RollupSpec,
    interval: Interval,
    run: RunInfo,
    now: Clock,
    *,
    dry_run: bool = False,
    options: RollupOptions = DEFAULT_OPTIONS,
) -> Steps[StageResult]:
    """Roll up the windows of an interval so that the target is right, whatever was there before.

    :param interval: must be tiled exactly by the grid
    :param run: who runs it, for the ledger
    :param now: the clock, aware UTC
    :param dry_run: say what would be done and write nothing
    :param options: healing, checkpoints, and what an error of one window does
    :raises ConfigurationError: when tasks of InfluxDB are to compute what they cannot
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises WindowNotDue: when a window has not ended; its lateness is waited for
    :raises WindowFrozen: when retention reaches the windows
    :raises SourceChanging: when points kept coming while the windows were read
    :raises SourceIncomplete: when a window is empty and ``empty_windows="fail"``
    :raises WindowsFailed: when some windows failed and the others are COMMITTED
    """
    if options.is_native:
        require_native(spec)
    began = now()
    windows = tuple(spec.grid.grid().windows(interval))
    whole = RollupRun(spec, run, now, options)
    if dry_run:
        return (yield from _preview(whole, interval, windows))
    yield from wait_until_due(windows, spec.lateness, began)
    healing = HealResult()
    if options.heal is not None:
        healing = yield from heal_before(whole, interval)
    outcome = yield from roll_up_windows(whole, windows)
    if outcome.failed:
        raise failures_as_one(windows, outcome.failed, outcome.first_error, len(outcome.committed))
    receipts = [outcome.committed[window] for window in windows]
    notes = list(outcome.notes)
    if not any(receipt.rows_in for receipt in receipts):
        notes += yield from _why_empty(spec)
    return StageResult(
        pipeline=outcome.pipeline_name,
        interval=interval,
        receipts=receipts,
        seconds=(now() - began).total_seconds(),
        notes=notes,
        healed=healing.healed,
        left=healing.left_as_json(),
    )


def _why_empty(spec: RollupSpec) -> Steps[list[str]]:
    """Warn of a measurement that the bucket has no point of: its name may be mistyped."""
    if spec.source_tier is not None:
        return []
    told = yield from unknown_measurement(spec.source_bucket, spec.measurement)
    if told is None:
        return []
    yield from ask(Report(told, level="warning"))
    return [told]


def _preview(run: RollupRun, interval: Interval, windows: tuple[Interval, ...]) -> Steps[StageResult]:
    """Say what a run would do; windows that it would refuse are notes, unless it would refuse all."""
    began = run.now()
    ready = yield from prepare_windows(run, windows, dry_run=True)
    refused, notes = ready.refused, list(ready.notes)
    if len(refused) == len(windows):
        raise failures_as_one(windows, refused, ready.first_error, len(ready.committed))
    if refused:
        notes.append(f"{len(refused)} windows would be refused, such as {refused[min(refused)]}")
        yield from ask(Report(notes[-1], level="warning"))
    if run.options.heal is not None:
        healing = yield from plan_healing(run, interval)
        yield from ask(Report(f"Dry run, would heal {len(healing.missing)} windows before {interval}"))
    for some in ready.todo:
        yield from tell_scripts(ready.plan.job(some))
    planned = [ready.book.receipt(window, State.PLANNED, run.now()) for window in windows]
    return StageResult(
        pipeline=ready.plan.spec.pipeline_name,
        interval=interval,
        receipts=planned,
        seconds=(run.now() - began).total_seconds(),
        notes=notes,
    )


def steps_from_job(job: Mapping[str, Any], now: Clock) -> Steps[StageResult]:
    """The verb from plain values, for triggers.

    :param job: ``spec`` with ``options``, one of ``intervals``, ``run_info``, as JSON
    :param now: the clock, aware UTC
    """
    interval = Interval.from_json(job["intervals"][0])
    spec = dict(job["spec"])
    options = RollupOptions.from_json(spec.pop("options", {}))
    # another triggerer may have begun this try and died
    run = replace(RunInfo(**job["run_info"]), resumes_own_try=True)
    return roll_up(RollupSpec.from_json(spec), interval, run, now, options=options)
