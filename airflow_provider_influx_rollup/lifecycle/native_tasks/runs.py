"""The runs of a task that end the windows of an interval."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import ListRuns, NativeTask, TaskRun
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_RUNS = 500
SECOND = timedelta(seconds=1)


def runs_in(task: NativeTask, interval: Interval) -> Steps[list[TaskRun]]:
    """List the runs by the time that they were scheduled for. InfluxDB forgets runs after three days."""
    runs: dict[str, TaskRun] = {}
    # the server leaves out runs of the time itself
    after = interval.start
    while True:
        page = yield from ask(ListRuns(task.id, after=after, limit=MAX_RUNS))
        runs |= {run.id: run for run in page}
        last = max((run.scheduled_for for run in page), default=interval.stop)
        if len(page) < MAX_RUNS or last >= interval.stop or last - SECOND <= after:
            break
        # several runs may have the time of the last one
        after = last - SECOND
    inside = [run for run in runs.values() if interval.start < run.scheduled_for <= interval.stop]
    return sorted(inside, key=lambda run: (run.scheduled_for, run.id))
