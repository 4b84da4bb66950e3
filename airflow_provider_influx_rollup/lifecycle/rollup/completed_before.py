"""The window of a tier that a heal of the tier below has completed, where the heal of the tier itself does not reach it."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import read_edge
from airflow_provider_influx_rollup.lifecycle.rollup.heal import (
    HealResult,
    heal_windows,
    lookback_start,
    plan_healing,
)
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval


def completed_before(run: RollupRun, interval: Interval, *, has_own: bool = False) -> Steps[Interval | None]:
    """Heal the last window before an interval that is not COMMITTED, and that the tier below is COMMITTED all over.

    Lookbacks may be shorter than a window, so those that they only reach into count. A heal fails no run: windows that
    retention may have reached are left out, and one that cannot be rolled up is told.

    :param run: of a tier, with a lookback
    :param interval: of the run, or the windows of the tier that it has of its own
    :param has_own: then whole windows of the lookback are left to their heal, and only the one that it reaches into is healed
    :return: the window once it is COMMITTED, for the run to tell of it as its own; None without one, or when it is no
        neighbour of those
    """
    spec, grid = run.spec, run.spec.grid.grid()
    stop = grid.floor(interval.start)
    reached = lookback_start(stop, Duration.of(run.options.heal or "0s", allow_zero=True))
    start = grid.floor(reached)
    if start >= stop or (has_own and start == reached):
        return None
    whole = f"{int((stop - start).total_seconds())}s"
    wider = replace(run, options=replace(run.options, heal=whole))
    planned = yield from plan_healing(wider, Interval(stop, interval.stop))
    missing = [one for one in planned.missing if not has_own or one.start < reached]
    if not missing:
        return None
    source = yield from ask(FindBucket(spec.source_bucket))
    edge = None if source is None else horizon(source, run.now())
    stored = yield from load_stored(spec.ledger_bucket)
    below = yield from read_edge(as_known(spec, stored), missing, stored)
    waiting = set(below.missing(missing))
    ready = [one for one in missing if one not in waiting and (edge is None or one.start >= edge)]
    if not ready:
        return None
    healing = yield from heal_windows(
        run, HealResult(windows=ready[-1:], missing=ready[-1:], reasons=planned.reasons)
    )
    is_neighbour = not has_own or ready[-1].stop == stop
    return ready[-1] if healing.healed and is_neighbour else None
