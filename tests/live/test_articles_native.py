"""The published scripts as tasks of InfluxDB: deployed, run for windows of the past, and compared with what the operator writes."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, ScriptInvalid
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.task_run.task_run import run_task
from tests.scenes.native_scene import HOUR, START, clock, deploy, hours, named_task, try_of

pytestmark = pytest.mark.live

EXAMPLES = Path(__file__).parents[2] / "example_dags" / "flux"
ARTICLES = Path(__file__).parents[1] / "lint_corpus" / "articles"
# the clocks of Europe change at 01:00 UTC, between the two windows
FIRST = START + HOUR
INTERVAL = hours(2, FIRST)
STEP = timedelta(minutes=3)
MACHINES = ("m1", "m2")
# the article's script for late data, with the range, the group and the record that InfluxDB takes
LATE_DATA = """import "date"

option task = {
    name: "iot_device_rollup_with_lookahead",
    every: 1h,
    offset: 10m
}

from(bucket: "raw_telemetry")
  |> range(start: date.sub(d: 2h, from: v.timeRangeStop), stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "sensor_readings")
  |> window(every: 1h, createEmpty: false)
  |> reduce(
      identity: {_sum: 0.0, _count: 0.0},
      fn: (r, accumulator) => ({_sum: r._value + accumulator._sum, _count: accumulator._count + 1.0})
    )
  |> map(fn: (r) => ({r with _value: r._sum / r._count, _time: r._stop}))
  |> drop(columns: ["_sum", "_count"])
  |> to(bucket: "rollup_hourly")
"""
# a deadman check as a task of its own
DEADMAN = """option task = {name: "deadman", every: 1h}

from(bucket: "raw_telemetry")
    |> range(start: -2h)
    |> filter(fn: (r) => r._measurement == "sensor_readings")
    |> aggregateWindow(every: 1h, fn: count, createEmpty: true)
    |> map(fn: (r) => ({r with _field: "missing_data", _value: if exists r._value and r._value > 0 then 0 else 1}))
    |> to(bucket: "rollup_hourly")
"""
SCRIPTS = {
    "hourly mean": ((EXAMPLES / "hourly_mean.flux").read_text(), "sensor_readings"),
    "mean of ten minutes": ((EXAMPLES / "ten_minute_mean.flux").read_text(), "environmental_sensors"),
    "last": ((EXAMPLES / "hourly_last.flux").read_text(), "machine_vibration"),
    "late data": (LATE_DATA, "sensor_readings"),
    "deadman": (DEADMAN, "sensor_readings"),
}
TARGETS = ("rollup_hourly", "aggregated_telemetry", "hourly_rollups")


def value(machine: str, number: int) -> float:
    return number * 37 % 101 / 7 + MACHINES.index(machine)


def points() -> list[tuple[str, Any, float]]:
    """Points every three minutes, from an hour before the interval; one machine is silent in the first window."""
    found = []
    for machine in MACHINES:
        for number in range((INTERVAL.duration + HOUR) // STEP):
            at = FIRST - HOUR + number * STEP
            if machine == "m1" or not FIRST <= at < FIRST + HOUR:
                found.append((machine, at, value(machine, number)))
    return found


@pytest.fixture
def source(client: InfluxClient, bucket_factory: Callable[[], str], measurement: str) -> str:
    bucket = bucket_factory()
    client.write_lines(
        bucket,
        [
            f"{measurement},machine_id={machine},location=hall x={number} {int(at.timestamp())}000000000"
            for machine, at, number in points()
        ],
    )
    return bucket


def placed(text: str, name: str, source: str, target: str) -> str:
    """The script with names of its own."""
    found = text.replace('"raw_telemetry"', f'"{source}"')
    for bucket in TARGETS:
        found = found.replace(f'bucket: "{bucket}"', f'bucket: "{target}"')
    begin, _, rest = found.partition('name: "')
    return f'{begin}name: "{name}"{rest.partition(chr(34))[2]}'


def rows_of(client: InfluxClient, bucket: str) -> dict[tuple[str, str, str, Any], Any]:
    rows = client.query(f'from(bucket: "{bucket}") |> range(start: 2025-01-01T00:00:00Z)')
    found = {
        (row["_measurement"], row["_field"], row["machine_id"], row["_time"]): row["_value"] for row in rows
    }
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize(
    ("text", "measurement"), [pytest.param(*script, id=name) for name, script in SCRIPTS.items()]
)
def test_a_native_run_writes_the_rows_of_the_operator(
    client: InfluxClient, bucket_factory: Callable[[], str], source: str, text: str, measurement: str
) -> None:
    native, worker = bucket_factory(), bucket_factory()
    with named_task(client) as name:
        assert deploy(client, placed(text, name, source, native))["action"] == "created"
        found = drive(run_task(try_of(name), INTERVAL, clock), client, lambda _: None).as_json()
        assert (found["windows"], found["status"]) == (2, "success")
        spec = ScriptSpec(
            script=placed(text, name, source, worker), target_bucket=worker, ledger_bucket=bucket_factory()
        )
        drive(roll_up_by_script(spec, INTERVAL, RunInfo(), clock), client, lambda _: None)
        once = rows_of(client, native)
        assert once
        assert once == rows_of(client, worker)


@pytest.mark.parametrize("measurement", ["sensor_readings"])
def test_native_means_are_those_of_an_oracle(
    client: InfluxClient, bucket_factory: Callable[[], str], source: str
) -> None:
    target = bucket_factory()
    with named_task(client) as name:
        deploy(client, placed(SCRIPTS["hourly mean"][0], name, source, target))
        # the later window first, and one of them again
        for number in (1, 0, 0):
            drive(run_task(try_of(name), hours(1, FIRST + number * HOUR), clock), client, lambda _: None)
    wanted = {}
    for number in range(2):
        window = hours(1, FIRST + number * HOUR)
        for machine in MACHINES:
            inside = [x for owner, at, x in points() if owner == machine and window.contains(at)]
            if inside:
                wanted["sensor_readings", "x", machine, window.stop] = statistics.fmean(inside)
    assert len(wanted) == 3
    assert rows_of(client, target) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("name_of_file", "error", "reason"),
    [
        ("bucket_routing", ScriptInvalid, "keep.. on line 11 dropped _measurement and _field"),
        ("late_data", ScriptInvalid, "reduce.. on line 14 dropped _field and _time"),
        ("deadman_check", ConfigurationError, "no option task"),
    ],
)
def test_what_was_published_broken_is_never_deployed(
    client: InfluxClient,
    bucket_factory: Callable[[], str],
    name_of_file: str,
    error: type[Exception],
    reason: str,
) -> None:
    source, target = bucket_factory(), bucket_factory()
    text = (ARTICLES / f"{name_of_file}.flux").read_text()
    with named_task(client) as name:
        script = (
            placed(text, name, source, target)
            if "option task" in text
            else text.replace("rollup_hourly", source).replace("_monitoring", target)
        )
        with pytest.raises(error, match=reason):
            deploy(client, script)
        assert client.tasks.find(name) == []
