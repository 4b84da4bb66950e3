"""A clean sweep of 30 days of 1,000 series against the aggregation queries alone, each in a process of its own.

``python -m dev.bench.reconcile`` runs it alone; ``python -m dev.bench`` runs it with the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.bench.alone import measure, run_way
from dev.bench.comparison import Comparison, at_most, within_megabytes
from dev.bench.server import settings_of_server, wait_until_settled

SOURCE, TARGET, LEDGER = "bench_swept", "bench_swept_hourly", "bench_ledger"
MEASUREMENT = "swept"
SERIES = 1000
DAYS = 30
STEP = timedelta(minutes=5)
POINTS_PER_DAY = timedelta(days=1) // STEP
START = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = Interval(START, START + timedelta(days=DAYS))
AGGREGATES = ("count", "sum", "min", "max", "first", "last")
ROUNDS = 3
MAX_TIMES = 2.5
MAX_MEGABYTES = 256


def spec() -> RollupSpec:
    """Hours of everything a fingerprint has."""
    return RollupSpec(
        source_bucket=SOURCE,
        target_bucket=TARGET,
        measurement=MEASUREMENT,
        grid=GridSpec("1h"),
        aggregates=AGGREGATES,
        pipeline="bench_swept",
        ledger_bucket=LEDGER,
    )


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def lines() -> Iterator[str]:
    """Line protocol, the same in every run, a day of all series after the other."""
    random = np.random.default_rng(20260301)
    step_ns = STEP // timedelta(microseconds=1) * 1000
    for day in range(DAYS):
        first_ns = SPAN.start_ns + day * POINTS_PER_DAY * step_ns
        times = [first_ns + index * step_ns for index in range(POINTS_PER_DAY)]
        for number in range(SERIES):
            values = np.round(20 + np.cumsum(random.normal(0, 0.1, POINTS_PER_DAY)), 3).tolist()
            head = f"{MEASUREMENT},device_id=d{number:04d},site=s{number % 10} temperature="
            for value, time_ns in zip(values, times, strict=True):
                yield f"{head}{value} {time_ns}"


def load(client: InfluxClient) -> None:
    """Write the points and roll them up, unless that is done."""
    for bucket in (SOURCE, TARGET):
        client.ensure_bucket(bucket)
    rows = client.query(
        f'from(bucket: "{SOURCE}") |> range(start: {START:%Y-%m-%dT%H:%M:%SZ}, stop: {SPAN.stop:%Y-%m-%dT%H:%M:%SZ})'
        ' |> group(columns: ["_field"]) |> count()'
    )
    if sum(row["_value"] for row in rows) != SERIES * DAYS * POINTS_PER_DAY:
        client.write_lines(SOURCE, lines())
    plan = drive(reconcile(spec(), SPAN, RunInfo(), now, mode="plan"), client, lambda _report: None)
    if plan.dirty:
        drive(roll_up(spec(), SPAN, RunInfo(), now), client, lambda _report: None)


def aggregate_once(client: InfluxClient) -> None:
    """What anybody would send to see the values: one chain for each aggregate, decoded."""
    chains = [
        f'from(bucket: "{SOURCE}") |> range(start: {START:%Y-%m-%dT%H:%M:%SZ}, stop: {SPAN.stop:%Y-%m-%dT%H:%M:%SZ})'
        f' |> filter(fn: (r) => r._measurement == "{MEASUREMENT}")'
        f' |> aggregateWindow(every: 1h, fn: {name}, createEmpty: false, timeSrc: "_start")'
        f' |> group(columns: ["_field"]) |> drop(columns: ["_start", "_stop", "_measurement"]) |> yield(name: "{name}")'
        for name in AGGREGATES
    ]
    rows = sum(table.num_rows for table in client.query_arrow("\n".join(chains)))
    assert rows == SERIES * DAYS * 24 * len(AGGREGATES)  # noqa: S101 - a benchmark


def sweep_once(client: InfluxClient) -> None:
    """All windows compared, none of them dirty."""
    result = drive(
        reconcile(spec(), SPAN, RunInfo(dag_id="bench", task_id="sweep", run_id="run"), now),
        client,
        lambda _report: None,
    )
    assert (result.windows, result.dirty) == (DAYS * 24, [])  # noqa: S101 - a benchmark


WAYS: dict[str, Callable[[InfluxClient], None]] = {"aggregate": aggregate_once, "sweep": sweep_once}


def compare(settings: ClientSettings, say: Callable[[str], None]) -> list[Comparison]:
    """A clean sweep against the aggregation queries alone, and the memory that it takes."""
    say("Measuring: a clean sweep of 30 days of 1,000 series (loading takes minutes the first time)")
    with InfluxClient(settings) as client:
        load(client)
    wait_until_settled(settings.url)
    found = measure(settings, "dev.bench.reconcile", WAYS)
    ours, theirs = found["sweep"], found["aggregate"]
    say(f"  {ours.seconds:.3f} s against {theirs.seconds:.3f} s; {ours.megabytes:.0f} MB")
    return [
        at_most("clean reconcile against the aggregations alone", ours.seconds, theirs.seconds, MAX_TIMES),
        within_megabytes("memory of a reconcile", ours.megabytes, MAX_MEGABYTES),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_way(WAYS[sys.argv[1]], ROUNDS)
    else:
        compare(settings_of_server(), print)
