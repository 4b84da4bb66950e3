"""Roll a run's windows up: plan, write, read back, remove ghosts, commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_influx_rollup.ledger.codec import (
    encode_spec,
)
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.frozen import require_not_frozen
from airflow_provider_influx_rollup.lifecycle.job import cut_blocks
from airflow_provider_influx_rollup.lifecycle.result import StageResult
from airflow_provider_influx_rollup.lifecycle.rollup_commit import commit_block
from airflow_provider_influx_rollup.lifecycle.rollup_plan import (
    Plan,
    job_of,
    plan_rollup,
    tell_plan,
    tell_scripts,
)
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec, RunInfo
from airflow_provider_influx_rollup.lifecycle.steps import (
    Report,
    Steps,
)
from airflow_provider_influx_rollup.lifecycle.strangers import require_no_strangers
from airflow_provider_influx_rollup.lifecycle.waiting import Clock, wait_until_due
from airflow_provider_influx_rollup.windows.interval import Interval

MOST_WINDOWS_PER_BLOCK = 500


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
    plan = yield from plan_rollup(spec, windows, run, began, dry_run=dry_run)
    whole = job_of(spec, windows, plan.selection, plan.ownership)
    yield from require_not_frozen(whole, plan.book, plan.source, began)
    yield from require_no_strangers(whole, plan.book.unknown(windows), plan.others)
    notes = yield from tell_plan(spec, interval, plan)
    if dry_run:
        yield from tell_scripts(spec, plan)
        planned = [plan.book.receipt(window, State.PLANNED, now()) for window in windows]
        return StageResult(spec.pipeline_name, interval, planned, (now() - began).total_seconds(), notes)
    blocks = cut_blocks(windows, MOST_WINDOWS_PER_BLOCK)
    first_lines = _announcement(spec, plan, blocks, now)
    committed: list[Receipt] = []
    for number, block in enumerate(blocks):
        lines = plan.book.lines(block, State.WRITING, now()) if number else first_lines
        job = job_of(spec, block, plan.selection, plan.ownership)
        totals = plan.totals if len(blocks) == 1 else None
        committed += yield from commit_block(job, plan.book, lines, totals, now)
        if len(blocks) > 1:
            yield Report(f"Committed {len(committed)} of {len(windows)} windows")
    return StageResult(spec.pipeline_name, interval, committed, (now() - began).total_seconds(), notes)


def _announcement(
    spec: RollupSpec, plan: Plan, blocks: Sequence[tuple[Interval, ...]], now: Clock
) -> list[str]:
    """The first block becomes WRITING; later windows PLANNED, unless the ledger knows them already."""
    later = plan.book.unknown(window for block in blocks[1:] for window in block)
    lines = [encode_spec(spec.pipeline_name, spec.spec_hash(), spec.as_json(), now())]
    lines += plan.book.lines(blocks[0], State.WRITING, now())
    return lines + plan.book.lines(later, State.PLANNED, now())


def steps_from_job(job: Mapping[str, Any], now: Clock) -> Steps[StageResult]:
    """The verb from plain values, for triggers.

    :param job: ``spec``, one of ``intervals``, ``run_info``, as JSON
    :param now: the clock, aware UTC
    """
    interval = Interval.from_json(job["intervals"][0])
    return roll_up(RollupSpec.from_json(job["spec"]), interval, RunInfo(**job["run_info"]), now)
