"""Three stages: wait until an hour of raw data is there, roll it up, say which devices were silent.

The sensor waits until 10 minutes after the hour's end and until at least three series have reported, without a
worker slot between its looks. The rollup keeps what merges (count, sum, min, max, first, last), so that coarser
tiers can be made from it. The deadman writes one status per device, dead or alive, for InfluxDB's own alerts.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor

with DAG(
    "three_stages",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    default_args={"retries": 2},
) as dag:
    complete = WindowCompleteSensor(
        task_id="raw_is_complete",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        every="1h",
        lateness="10m",
        expected_series=3,
        mode="reschedule",
        poke_interval=60,
        timeout=6 * 3600,
    )
    rollup = FluxRollupOperator(
        task_id="rollup_1h",
        source_bucket="raw_telemetry",
        target_bucket="rollup_hourly",
        measurement="sensor_readings",
        every="1h",
        lateness="10m",
        # the shortest example has the same source, target and windows, and other aggregates
        pipeline="sensor_readings_1h",
        aggregates={
            "temperature": ["count", "sum", "min", "max", "first", "last"],
            "humidity": ["count", "sum", "min", "max", "first", "last"],
            "count": ["first", "last", "max"],
            "*": ["count", "last"],
        },
    )
    silent = DeadmanCheckOperator(
        task_id="silent_devices",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        group_by=["device_id"],
        every="1h",
        on_dead="signal",
    )
    complete >> rollup >> silent
