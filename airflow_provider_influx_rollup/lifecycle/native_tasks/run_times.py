"""How long runs of tasks took."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.steps.tasks import TaskRun

# a result travels through Airflow's database
MAX_LISTED = 100


def seconds_of(runs: Iterable[TaskRun]) -> list[float]:
    """Durations of the first runs that have ended."""
    return [run.seconds for run in runs if run.seconds is not None][:MAX_LISTED]
