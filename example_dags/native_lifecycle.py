"""Three tiers whose first one InfluxDB computes itself: hours of raw points, and days and weeks that are made of the hours.

The task of the hours defers at once: a task of InfluxDB computes, and no worker slot is held meanwhile. The tiers above merge a
few rows in the worker. The token needs to read and write tasks too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, Tier, lifecycle_task_group

with DAG(
    "native_lifecycle",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 2, "execution_timeout": timedelta(hours=6)},
):
    lifecycle_task_group(
        Lifecycle(
            source_bucket="raw_telemetry",
            measurement="sensor_readings",
            fields=["temperature", "humidity"],
            retention="30d",
            tiers=[
                Tier(
                    bucket="native_1h",
                    every="1h",
                    aggregates=["count", "sum", "min", "max"],
                    lateness="10m",
                    retention="90d",
                    execution="native",
                ),
                Tier(
                    bucket="native_1d",
                    every="1d",
                    aggregates=["count", "sum", "mean", "min", "max"],
                    retention="2y",
                ),
                Tier(bucket="native_1w", every="1w", aggregates=["count", "mean", "min", "max"]),
            ],
        ),
        group_id="telemetry",
    )
