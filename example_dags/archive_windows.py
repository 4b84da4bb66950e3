"""Archive each day of raw points as Parquet, and whatever retention would delete within a week; compact older days.

The files are proven equal to the bucket before their manifests appear. Windows of an hour can be read, restored or
purged alone. The second task looks at the bucket itself, so that days which nobody archived, such as those of a paused
DAG, are not lost. The third makes one window of the day a week before, so that a year is no thousands of small files.
The folder may be in an object store, such as ``s3://aws_default@lake/telemetry``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.archive_expiring import ArchiveExpiringOperator
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator

ARCHIVE = "{{ var.value.get('telemetry_archive', '/tmp/telemetry_archive') }}"

with DAG(
    "archive_windows",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 2},
):
    archive = ArchiveWindowOperator(
        task_id="archive",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        path=ARCHIVE,
        every="1h",
        lateness="10m",
    )
    rescue = ArchiveExpiringOperator(
        task_id="archive_expiring",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        path=ARCHIVE,
        every="1h",
        lateness="10m",
        within="7d",
    )
    compact = CompactArchiveOperator(
        task_id="compact",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        path=ARCHIVE,
        into="1d",
        delay="{{ var.value.get('telemetry_compact_delay', '7d') }}",
    )
    archive >> rescue >> compact
