"""A million points validated by ten rules against one raw read of them, each in a process of its own.

``python -m dev.bench.validate`` runs it alone; ``python -m dev.bench`` runs it with the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.bench.alone import measure, run_way
from dev.bench.comparison import Comparison, at_most, within_megabytes
from dev.bench.server import settings_of_server, wait_until_settled

BUCKET = "bench_source"
MEASUREMENT = "validated"
SERIES = 250
POINTS = 1000
FIELDS = ("count", "humidity", "status", "temperature")
STEP = timedelta(seconds=10)
SPAN = Interval(datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC) + POINTS * STEP)
ROUNDS = 5
MAX_TIMES = 3.0
MAX_MEGABYTES = 256

RULES = rules_of(
    [
        {"rule": "schema", "fields": {"temperature": "float", "status": "string"}, "tags": ["device_id"]},
        {"rule": "field_type"},
        {"rule": "range", "field": "temperature", "low": -40, "high": 85},
        {"rule": "range", "field": "humidity", "low": 0, "high": 100},
        {"rule": "allowed_values", "field": "status", "values": ["ok", "degraded"]},
        {"rule": "missing_field", "field": "humidity", "beside": "temperature"},
        {"rule": "stuck", "field": "temperature", "points": 30},
        {"rule": "spike", "field": "temperature", "max_change": 20, "per": "10s"},
        {"rule": "monotonic", "field": "count"},
        {"rule": "cadence", "every": "10s"},
    ]
)


def lines() -> Iterator[str]:
    """Line protocol, the same in every run."""
    random = np.random.default_rng(20260202)
    for number in range(SERIES):
        temperature = (20 + np.cumsum(random.normal(0, 0.1, POINTS))).round(3).tolist()
        humidity = random.uniform(30, 60, POINTS).round(2).tolist()
        status = np.where(random.random(POINTS) < 0.98, "ok", "degraded").tolist()
        for index in range(POINTS):
            fields = (
                f'count={index}i,humidity={humidity[index]},status="{status[index]}",'
                f"temperature={temperature[index]}"
            )
            time_ns = SPAN.start_ns + index * 10 * 10**9
            yield f"{MEASUREMENT},device_id=d{number:04d},site=s{number % 10} {fields} {time_ns}"


def load(client: InfluxClient) -> None:
    """Write the points unless they are there."""
    client.ensure_bucket(BUCKET)
    rows = client.query(
        f'from(bucket: "{BUCKET}") |> range(start: 2026-02-02T00:00:00Z, stop: 2026-02-03T00:00:00Z)'
        f' |> filter(fn: (r) => r._measurement == "{MEASUREMENT}") |> group(columns: ["_field"]) |> count()'
    )
    if sum(row["_value"] for row in rows) != SERIES * POINTS * len(FIELDS):
        client.write_lines(BUCKET, lines())


def read_once(client: InfluxClient) -> None:
    """One raw read of all points into Arrow."""
    tables = client.query_arrow(RawPoints(RollupSource(BUCKET, MEASUREMENT, {}), SPAN, FIELDS).flux())
    assert sum(table.num_rows for table in tables) == SERIES * POINTS * len(FIELDS)  # noqa: S101 - a benchmark


def validate_once(client: InfluxClient) -> None:
    """All rules over all points, with results in the ledger and an empty quarantine."""
    spec = ValidateSpec(
        bucket=BUCKET,
        measurement=MEASUREMENT,
        rules=RULES,
        quarantine_bucket="bench_quarantine",
        ledger_bucket="bench_ledger",
    )
    steps = validate(
        spec, SPAN, RunInfo(dag_id="bench", task_id="validate", run_id="run"), lambda: datetime.now(UTC)
    )
    result = drive(steps, client, lambda _report: None)
    assert (result.state, result.points) == ("ok", SERIES * POINTS * len(FIELDS))  # noqa: S101 - a benchmark


WAYS: dict[str, Callable[[InfluxClient], None]] = {"read": read_once, "validate": validate_once}


def compare(settings: ClientSettings, say: Callable[[str], None]) -> list[Comparison]:
    """Ten rules against one raw read, and the memory that they take."""
    say("Measuring: validation of 1,000,000 points")
    with InfluxClient(settings) as client:
        load(client)
    wait_until_settled(settings.url)
    found = measure(settings, "dev.bench.validate", WAYS)
    ours, theirs = found["validate"], found["read"]
    say(f"  {ours.seconds:.3f} s against {theirs.seconds:.3f} s; {ours.megabytes:.0f} MB")
    return [
        at_most("10 rules against one raw read", ours.seconds, theirs.seconds, MAX_TIMES),
        within_megabytes("memory of a validation", ours.megabytes, MAX_MEGABYTES),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_way(WAYS[sys.argv[1]], ROUNDS)
    else:
        compare(settings_of_server(), print)
