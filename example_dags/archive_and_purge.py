"""Keep raw points for 30 days: roll them up, archive each day as Parquet, and delete the days that are old and proven.

The purge looks at the day that lies 30 days before the run's. It deletes only what the archive's files are proven to
hold, and what the rollup has; otherwise the task fails and names what is missing. Days that never had a point pass.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

ARCHIVE = "{{ var.value.get('telemetry_archive', '/tmp/telemetry_archive') }}"

with DAG(
    "archive_and_purge",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 2},
):
    rollup = FluxRollupOperator(
        task_id="rollup_1h",
        source_bucket="raw_telemetry",
        target_bucket="rollup_hourly",
        measurement="sensor_readings",
        every="1h",
        aggregates={"temperature": ["count", "mean", "min", "max"]},
        lateness="10m",
        pipeline="readings_1h",
    )
    archive = ArchiveWindowOperator(
        task_id="archive",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        path=ARCHIVE,
        every="1d",
        lateness="10m",
    )
    purge = PurgeWindowOperator(
        task_id="purge",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        path=ARCHIVE,
        every="1d",
        require_pipelines=["readings_1h"],
        min_age="30d",
        quiet_for="{{ var.value.get('telemetry_quiet_for', '1d') }}",
        delay="{{ var.value.get('telemetry_purge_delay', '30d') }}",
    )
    rollup >> archive >> purge
