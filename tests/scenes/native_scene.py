"""Tasks of InfluxDB for tests: scripts, and names that no other test has."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import TaskSpec
from airflow_provider_influx_rollup.lifecycle.task_deploy.task_deploy import deploy_task
from airflow_provider_influx_rollup.lifecycle.task_run.spec import RunSpec
from airflow_provider_influx_rollup.steps.tasks import TaskRun
from airflow_provider_influx_rollup.windows.interval import Interval

POLL_SECONDS = 0.05
# before a change of the clocks in Europe
START = datetime(2025, 3, 29, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
# takes some 2 seconds for a million
SLOW = """import "generate"

option task = {{name: "{name}", every: 1h}}

generate.from(count: {count}, fn: (n) => n, start: 2020-01-01T00:00:00Z, stop: 2021-01-01T00:00:00Z)
    |> map(fn: (r) => ({{r with _value: r._value * 2 + 1}}))
    |> sum()
"""


def clock() -> datetime:
    return datetime.now(UTC)


def script(name: str, source: str, target: str, *, every: str = "1h", fn: str = "mean") -> str:
    """An article's script with names of its own; the task hardly ever runs by itself while a test lasts."""
    return f"""option task = {{name: "{name}", every: {every}, offset: 5m}}

from(bucket: "{source}")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "m")
    |> aggregateWindow(every: 10m, fn: {fn}, createEmpty: false)
    |> to(bucket: "{target}")
"""


@contextmanager
def named_task(client: InfluxClient) -> Iterator[str]:
    """A name; its tasks are deleted at the end."""
    name = f"task {uuid.uuid4().hex[:8]}"
    try:
        yield name
    finally:
        for task in client.tasks.find(name):
            client.tasks.delete(task.id)


def run_to_its_end(client: InfluxClient, task_id: str, scheduled_for: datetime) -> TaskRun:
    """Let InfluxDB run a task for a time, and wait; a run is not listed yet when it has just been asked for."""
    run = client.tasks.start_run(task_id, scheduled_for)
    deadline = time.monotonic() + 60
    while True:
        found = client.tasks.find_run(task_id, run.id)
        if found is not None and found.has_ended:
            return found
        assert time.monotonic() < deadline, found
        # a run takes a second: asking on and on would take a core from it
        time.sleep(POLL_SECONDS)


def deploy(client: InfluxClient, flux: str | None, *, dry_run: bool = False, **more: Any) -> dict[str, Any]:
    """Deploy, and return what the operator returns."""
    found = drive(deploy_task(TaskSpec(flux=flux, **more), clock, dry_run=dry_run), client, lambda _: None)
    return found.as_json()


def told(client: InfluxClient, make: Callable[[], Any]) -> list[str]:
    """What a verb reports."""
    said: list[str] = []
    drive(make(), client, lambda report: said.append(report.message))
    return said


def hours(count: int, start: datetime = START) -> Interval:
    return Interval(start, start + count * HOUR)


def try_of(name: str, *, is_retry: bool = False, ago: float = 0) -> RunSpec:
    return RunSpec(name, (clock() - timedelta(seconds=ago)).isoformat(), is_retry)
