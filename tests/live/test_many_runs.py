"""A process that runs stages all day: connections, files and memory stay as many."""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from airflow_provider_influx_rollup.client.driver import MAX_THREADS, adrive, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import make_place

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(3600)]

RUNS = int(os.environ.get("RUNS", "10000"))
WARM_UP = 500
HOUR = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=1))
MAX_MORE_MEGABYTES = 15


@dataclass(frozen=True)
class Held:
    """What the process holds of the machine."""

    files: int
    connections: int
    threads: int
    megabytes: float

    @classmethod
    def now(cls) -> Held:
        """By what the kernel says."""
        gc.collect()
        process = psutil.Process()
        connections = [one for one in process.net_connections("tcp") if one.status == "ESTABLISHED"]
        return cls(
            process.num_fds(), len(connections), process.num_threads(), process.memory_info().rss / 2**20
        )


def test_connections_files_and_memory_stay_as_many_when_stages_run_again_and_again(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    settings = ClientSettings(url=influx.url, org=influx.org, token=lambda _refresh: influx.token)
    client.write_lines(place.source, [f"{place.measurement},device=a v=1.0 {HOUR.start_ns}"])
    spec = place.spec("1h", ("count", "mean"))

    def run(number: int) -> None:
        """As a task does, with a client of its own; every other one in an event loop, as a trigger does."""
        info = RunInfo(dag_id="dag", task_id="task", run_id=f"run {number}")
        steps = roll_up(spec, HOUR, info, lambda: datetime.now(UTC))
        with InfluxClient(settings) as own:
            if number % 2:
                drive(steps, own, lambda _report: None)
            else:
                asyncio.run(adrive(steps, own, lambda _report: None))

    for number in range(WARM_UP):
        run(number)
    before = Held.now()
    for number in range(RUNS):
        run(number)
    after = Held.now()
    # the server may have closed the last idle connection, and the pools grow to a fixed size
    assert after.files <= before.files, (before, after)
    assert after.connections <= before.connections, (before, after)
    assert after.threads - before.threads <= 2 * MAX_THREADS, (before, after)
    assert after.megabytes - before.megabytes < MAX_MORE_MEGABYTES, (before, after)
