"""What must be true of tiers when nobody is at work: a day that counts as covered holds what its hours hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowState, coverage
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import HOURS, SPAN, Pipeline
from tests.simulation.plain_rows import Rows
from tests.simulation.runs import Run
from tests.simulation.world import World

#: right after all points, so that it has none
NEXT = Interval(SPAN.stop, SPAN.stop + timedelta(hours=HOURS))


def tiers_at_rest(world: World) -> list[str]:
    """Before anything is reconciled: what coverage says is so, and a run of the next day heals what it can."""
    hours, days = world.pipelines
    if world.late:
        # a run that hung has written over COMMITTED rows, which a day may have been merged from: a reconcile finds that
        return []
    # a reconcile is to find what was there, not what these have healed
    world = world.copy()
    problems = _covered_and_wrong(world, hours, days)
    if problems or not all(_committed(world, hours, SPAN)):
        return problems
    for pipeline, heal in ((hours, None), (days, f"{HOURS}h")):
        run = _quiet(world, f"{pipeline.name} of the next day", pipeline, heal)
        if run.end != "ok":
            return [f"{run.name} fails: {run.end}"]
    if not all(_committed(world, days, SPAN)):
        return ["a day is not covered that a run was to heal"]
    return _covered_and_wrong(world, hours, days)


def merged(stored: Rows, start: int) -> Rows:
    """The rows of a tier, from those of the tier below.

    :param start: of its window, nanoseconds
    """
    rows: Rows = {}
    for (tags, name, _), value in stored.items():
        key = tags, name, start
        if key not in rows:
            rows[key] = value
        else:
            rows[key] = max(rows[key], value) if name.endswith("max") else rows[key] + value
    return rows


def _covered_and_wrong(world: World, hours: Pipeline, days: Pipeline) -> list[str]:
    if not all(_committed(world, hours, SPAN) + _committed(world, days, SPAN)):
        return []
    have, wanted = world.stored(days), merged(world.stored(hours), nanoseconds(SPAN.start))
    return [] if have == wanted else [f"the day counts as covered and holds {have}, its hours {wanted}"]


def _committed(world: World, pipeline: Pipeline, span: Interval) -> list[bool]:
    """Of each window, whether coverage calls it COMMITTED."""
    found = _done(
        world, f"coverage of {pipeline.name}", partial(coverage, pipeline.spec(), span, world.now())
    )
    return [one.state is WindowState.COMMITTED for one in found.result.windows]


def _quiet(world: World, name: str, pipeline: Pipeline, heal: str | None) -> Run:
    info = RunInfo(dag_id="dag", task_id=pipeline.name, run_id="quiet")
    options = RollupOptions(heal=heal)
    return _done(world, name, lambda: roll_up(pipeline.spec(), NEXT, info, world.now, options=options))


def _done(world: World, name: str, make: Callable[[], Any]) -> Run:
    run = Run(world, name, make)
    run.finish()
    return run
