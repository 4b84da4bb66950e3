"""Three tiers: 5 minutes from the raw points, hours from the 5 minutes, days from the hours, in one group of tasks.

The DAG runs twice a day. Each run rolls up its 5 minutes and its hours. A day is rolled up by the run that completes
it, in whatever order the runs come; the others skip that task. A mean needs the count and the sum of the tier below.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, Tier, lifecycle_task_group

PARTS = ["count", "sum", "min", "max", "last"]
telemetry = Lifecycle(
    source_bucket="raw_telemetry",
    measurement="sensor_readings",
    fields=["temperature", "humidity"],
    retention="30d",
    tiers=[
        Tier("telemetry_5m", every="5m", aggregates=[*PARTS, "stddev"], retention="90d", lateness="10m"),
        Tier("telemetry_1h", every="1h", aggregates=[*PARTS, "stddev", "mean"], retention="2y"),
        Tier("telemetry_1d", every="1d", aggregates=["count", "mean", "stddev", "min", "max", "last"]),
    ],
)

with DAG(
    "three_tiers",
    schedule=CronDataIntervalTimetable("0 */12 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 2},
):
    lifecycle_task_group(telemetry, group_id="telemetry")
