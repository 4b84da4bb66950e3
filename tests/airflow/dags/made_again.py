"""A rollup in the triggerer, of a run that is deleted and made again under the same name."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

with DAG(
    "made_again",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
):
    FluxRollupOperator(
        task_id="rollup",
        source_bucket="made_again_raw",
        target_bucket="made_again_hours",
        measurement="m",
        every="1h",
        aggregates=["count"],
        deferrable=True,
    )
