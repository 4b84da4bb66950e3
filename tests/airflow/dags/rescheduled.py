"""A sensor in reschedule mode that waits for a pipeline which nobody has."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor

with DAG(
    "rescheduled",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
):
    WindowCompleteSensor(
        task_id="wait",
        bucket="raw",
        measurement="m",
        upstream="nobody",
        mode="reschedule",
        poke_interval=1,
        timeout=8,
        soft_fail=True,
    )
