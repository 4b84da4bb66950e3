"""The shortest rollup: each hour, the mean and the highest value of two fields, per series.

Needs the connection ``influx_rollup_default`` and the bucket ``raw_telemetry``; the target bucket must exist.
Any hour can be run again at any time: the target is right afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

hourly = CronDataIntervalTimetable("0 * * * *", timezone="UTC")
with DAG("shortest_rollup", schedule=hourly, start_date=datetime(2025, 1, 1, tzinfo=UTC), catchup=False):
    FluxRollupOperator(
        task_id="rollup_1h",
        source_bucket="raw_telemetry",
        target_bucket="rollup_hourly",
        measurement="sensor_readings",
        fields=["temperature", "humidity"],
        aggregates=["mean", "max"],
        every="1h",
    )
