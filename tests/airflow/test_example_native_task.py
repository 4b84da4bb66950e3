"""The example of a task of InfluxDB: made and run twice, and its rows are the means of the points."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(300)]

START = datetime(2025, 3, 8, 4, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NAME = "iot_device_rollup_1h"
SPAN = ("2025-03-08T00:00:00Z", "2025-03-09T00:00:00Z")
NANOSECONDS = 10**9


def value(device: str, minute: int) -> float:
    return minute * 37 % 101 / 7 + len(device)


def test_an_hour_of_the_past_is_run_by_influxdb_and_again(
    real_airflow: AirflowProcess, new_organisation: Callable[[], InfluxAddress]
) -> None:
    place = new_organisation()
    devices = ("a", "bb")
    # the minutes around the hour are of other windows
    minutes = range(-5, 65)
    lines = [
        f"sensor_readings,device_id={one} temperature={value(one, at)} {int((START + at * MINUTE).timestamp()) * NANOSECONDS}"
        for one in devices
        for at in minutes
    ]
    wanted = [
        (
            one,
            int((START + HOUR).timestamp()) * NANOSECONDS,
            statistics.fmean(value(one, at) for at in range(60)),
        )
        for one in devices
    ]
    connection = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}
    with place.buckets_made_meanwhile_deleted(), place.tasks_deleted():
        place.fresh_buckets("raw_telemetry")
        for _ in place.write("raw_telemetry", iter(lines)):
            pass
        for action in ("created", "unchanged"):
            told = run_dag(real_airflow, "native_task", (START + HOUR).isoformat(), environment=connection)
            assert f"task '{NAME}': {action}" in told
            states = dict(
                real_airflow.rows(
                    "select task_id, state from task_instance where dag_id = ?", ("native_task",)
                )
            )
            assert states == dict.fromkeys(("buckets", "lint", "deploy", "run", "wait", "history"), "success")
            rows = oracle.read_target(
                place.url, place.org, place.token, "rollup_hourly", "sensor_readings", *SPAN
            )
            found = sorted(zip(rows["device_id"], rows["_time"], rows["_value"], strict=True))
            assert [row[:2] for row in found] == [row[:2] for row in wanted]
            assert [row[2] for row in found] == pytest.approx([row[2] for row in wanted])
