"""Rollups by a user's script as a world has them, and what must be true of their rows when nobody is at work."""

from __future__ import annotations

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import HOUR_NS, SPAN, WINDOWS
from tests.simulation.plain_rows import sums_of
from tests.simulation.points import span_of
from tests.simulation.runs import Run
from tests.simulation.script_answers import SCRIPT, SCRIPTED
from tests.simulation.script_turns import ScriptTurns, scripted_rows
from tests.simulation.world import ScriptRows, World

SPEC = ScriptSpec(
    script=SCRIPT, target_bucket="rolled", grid=GridSpec("1h"), pipeline=SCRIPTED, ledger_bucket="ledger"
)


def script_run(world: World, name: str, span: Interval, info: RunInfo, clock: Clock) -> Run:
    """A run that has not begun."""
    turns = ScriptTurns(world=world, name=name, windows=range(*span_of(span), HOUR_NS))
    return Run(world, name, lambda: roll_up_by_script(SPEC, span, info, clock), "script", turns=turns)


def scripts_untorn(world: World) -> list[str]:
    """Rows of COMMITTED windows are those that the run has written which committed them last."""
    stored, problems = scripted_rows(world), []
    for (pipeline, start), claim in world.committed().items():
        # a run that hung has written over it
        if pipeline != SCRIPTED or world.late.get((pipeline, start)) == claim:
            continue
        wanted = world.scripted.get(claim)
        if wanted is None or not wanted.items() <= stored.items():
            problems.append(f"{pipeline}@{start} is COMMITTED and torn: {stored}, not {wanted}")
    return problems


def scripted_at_rest(world: World) -> list[str]:
    """All rows are right, after a quiet run; of points that went, rows may be left."""
    run = script_run(world, "quiet script", SPAN, RunInfo(dag_id="dag", run_id="quiet script"), world.now)
    run.finish()
    if run.end != "ok":
        return [f"a quiet script fails: {run.end}"]
    stored, committed, problems = scripted_rows(world), world.committed(), []
    numbers = world.records(("rows_out", "series"))
    for window in WINDOWS:
        start = nanoseconds(window.start)
        wanted: ScriptRows = sums_of(world.source, start, nanoseconds(window.stop))
        if (SCRIPTED, start) not in committed:
            problems.append(f"not COMMITTED after a quiet script: {window}")
        if not wanted.items() <= stored.items():
            problems.append(f"rows of the script in {window}: {stored}, not {wanted}")
        if numbers[SCRIPTED, start] != {"rows_out": len(wanted), "series": len(wanted)}:
            problems.append(f"receipt of the script of {window}: {numbers[SCRIPTED, start]}")
    return problems + scripts_untorn(world) + world.problems
