"""The demo's backfills, by Airflow's own command, with a progress display."""

from __future__ import annotations

from dev.airflow_backfill import Backfill, BackfillStates, run_backfill
from dev.airflow_process import AirflowProcess
from dev.demo import setting
from dev.demo.console import DemoConsole
from dev.demo.timeline import Timeline


def backfills(timeline: Timeline) -> list[Backfill]:
    """Newest first for the fleet: the order makes no difference to the result.

    ``completed`` runs what exists again, so the demo can be repeated.
    """
    return [
        Backfill(
            setting.FLEET_DAG, timeline.plan.start, timeline.fleet_last, reprocess="completed", backwards=True
        ),
        Backfill(setting.WEATHER_DAG, timeline.weather_first, timeline.weather_last, reprocess="completed"),
    ]


def command_line(airflow: AirflowProcess, backfill: Backfill) -> str:
    """The command in short, for people."""
    if airflow.is_three:
        order = " --run-backwards" if backfill.backwards else ""
        return f"airflow backfill create --dag-id {backfill.dag_id}{order} ..."
    return f"airflow dags backfill{' -B' if backfill.backwards else ''} ... {backfill.dag_id}"


def run(airflow: AirflowProcess, backfill: Backfill, console: DemoConsole) -> BackfillStates:
    """Run one backfill to its end.

    :raises ProcessFailed: when a run fails
    """
    console.say(f"[bold]{command_line(airflow, backfill)}[/]")
    with console.progress(f"runs of {backfill.dag_id}") as advance:
        states = run_backfill(
            airflow,
            backfill,
            progress=lambda states: advance(states.ended, max(states.total, 1)),
            timeout=600,
        )
    console.say(
        f"  {states.ended} runs ended: " + ", ".join(f"{n} {state}" for state, n in states.runs.items())
    )
    return states
