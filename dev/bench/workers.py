"""A day of 1,000 devices at 10 s, rolled up by one to eight processes that share its hours.

``python -m dev.bench.workers`` measures all and keeps ``.bench/workers.json``; ``make bench`` does not run it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from rich.console import Console
from rich.table import Table

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.bench.alone import most_megabytes
from dev.bench.scripts import AGGREGATES
from dev.bench.server import OUTPUT, ServerHeap, settings_from, settings_of_server, wait_until_settled
from dev.influx_http import InfluxAddress

SOURCE, LEDGER, MEASUREMENT = "bench_workers", "bench_workers_ledger", "telemetry"
START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS, DEVICES, STEP_SECONDS = 24, 1_000, 10
POINTS = HOURS * 3600 // STEP_SECONDS * DEVICES
WORKERS = (1, 2, 4, 8)
ROUNDS = 3
# eight processes import what they need within it
STARTING_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A day by some workers: the best of some rounds.

    :param seconds: from the first one's begin to the last one's end
    :param megabytes: the most memory that one of them had
    :param server_megabytes: how much more heap the server used meanwhile
    """

    workers: int
    seconds: float
    megabytes: float
    server_megabytes: float


def lines() -> Iterator[str]:
    """Line protocol, the same in every run, one moment of all devices after the other."""
    random = np.random.default_rng(20260101)
    first_ns = int(START.timestamp()) * 10**9
    for number in range(HOURS * 3600 // STEP_SECONDS):
        time_ns = first_ns + number * STEP_SECONDS * 10**9
        for device, value in enumerate(random.normal(20, 1, DEVICES).round(3).tolist()):
            yield f"{MEASUREMENT},device_id=d{device:04d} temperature={value} {time_ns}"


def load(client: InfluxClient) -> None:
    """Write the points unless they are there."""
    client.ensure_bucket(SOURCE)
    client.ensure_bucket(LEDGER)
    rows = client.query(
        f'from(bucket: "{SOURCE}") |> range(start: 2026-01-01T00:00:00Z, stop: 2026-01-02T00:00:00Z) |> group() |> count()'
    )
    if sum(row["_value"] for row in rows) != POINTS:
        client.write_lines(SOURCE, lines())


def work(number: int, workers: int, target: str, begin: float) -> None:
    """Roll up a share of the hours at a moment, and print when it was done and the most memory that it took.

    :param begin: seconds since the epoch
    """
    hours = HOURS // workers
    first, stop = (START + timedelta(hours=count * hours) for count in (number, number + 1))
    spec = RollupSpec(
        source_bucket=SOURCE,
        target_bucket=target,
        measurement=MEASUREMENT,
        grid=GridSpec("1h"),
        aggregates=AGGREGATES,
        pipeline=target,
        ledger_bucket=LEDGER,
    )
    info = RunInfo(dag_id="bench", task_id="workers", run_id=f"share {number}")
    with InfluxClient(settings_from(os.environ)) as client:
        client.find_bucket(SOURCE)
        time.sleep(begin - time.time())
        drive(
            roll_up(spec, Interval(first, stop), info, lambda: datetime.now(UTC)),
            client,
            lambda _report: None,
        )
    print(json.dumps([time.time(), most_megabytes()]))


def share(settings: ClientSettings, workers: int) -> Shared:
    """Let some workers roll the day up into an empty target, together."""
    place = {"INFLUX_URL": settings.url, "INFLUX_ORG": settings.org, "INFLUX_TOKEN": settings.token(False)}
    address = InfluxAddress(settings.url, settings.org, settings.token(False))
    target = f"{SOURCE}_{uuid.uuid4().hex[:8]}"
    begin = time.time() + STARTING_SECONDS

    def one(number: int) -> list[float]:
        command = [sys.executable, "-m", "dev.bench.workers", str(number), str(workers), target, str(begin)]
        done = subprocess.run(command, env=os.environ | place, check=True, stdout=subprocess.PIPE, text=True)
        found: list[float] = json.loads(done.stdout)
        return found

    with address.buckets_made_meanwhile_deleted(), ServerHeap(settings.url) as heap:
        address.fresh_buckets(target)
        with ThreadPoolExecutor(workers) as threads:
            ended = list(threads.map(one, range(workers)))
    return Shared(
        workers=workers,
        seconds=max(moment for moment, _ in ended) - begin,
        megabytes=max(megabytes for _, megabytes in ended),
        server_megabytes=heap.megabytes,
    )


def main() -> None:
    """Measure each number of workers, print a table, keep the figures."""
    console, settings = Console(), settings_of_server()
    with InfluxClient(settings) as client:
        console.print(f"Loading {POINTS:,} points unless they are there")
        load(client)
        wait_until_settled(settings.url)
    table = Table(title=f"{POINTS:,} points of {DEVICES:,} devices, {HOURS} hourly windows")
    for heading in ("workers", "seconds", "million points a second", "memory of each", "InfluxDB"):
        table.add_column(heading, justify="right")
    found = []
    for workers in WORKERS:
        found.append(min((share(settings, workers) for _ in range(ROUNDS)), key=lambda one: one.seconds))
        one = found[-1]
        rate = POINTS / one.seconds / 1e6
        memory = (f"{one.megabytes:.0f} MB", f"{one.server_megabytes:.0f} MB")
        table.add_row(str(workers), f"{one.seconds:.2f}", f"{rate:.1f}", *memory)
    console.print(table)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "workers.json").write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        main()
