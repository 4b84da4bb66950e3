"""Days of a year's detail, computed by InfluxDB itself: no worker slot is held, and no connection stays open meanwhile.

The task defers at once. A task of InfluxDB computes, the triggerer looks every few seconds whether it has ended, then the rows are
written, read back and committed as by any other rollup. The token needs to read and write tasks too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

with DAG(
    "native_rollup",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 2, "execution_timeout": timedelta(hours=6)},
) as dag:
    FluxRollupOperator(
        task_id="rollup_1d",
        source_bucket="raw_telemetry",
        target_bucket="rollup_daily",
        measurement="sensor_readings",
        every="1d",
        lateness="10m",
        aggregates={"temperature": ["count", "mean", "max"], "humidity": ["count", "mean"]},
        execution="native",
    )
