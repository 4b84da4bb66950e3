"""Three tiers by the hour, whose tasks are tried again at once when their worker is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, Tier, lifecycle_task_group

PARTS = ["count", "sum", "min", "max", "last", "stddev"]
telemetry = Lifecycle(
    source_bucket="raw_telemetry",
    measurement="sensor_readings",
    fields=["temperature", "humidity"],
    tiers=[
        Tier("telemetry_5m", every="5m", aggregates=PARTS),
        Tier("telemetry_1h", every="1h", aggregates=[*PARTS, "mean"]),
        Tier("telemetry_6h", every="6h", aggregates=["count", "mean", "stddev", "min", "max", "last"]),
    ],
)

with DAG(
    "celery_tiers",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 3, 8, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    default_args={"retries": 4, "retry_delay": timedelta(seconds=1)},
):
    lifecycle_task_group(telemetry, group_id="telemetry")
