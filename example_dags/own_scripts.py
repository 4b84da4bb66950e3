"""Your own Flux scripts, unchanged: the window binds ``v.timeRangeStart``, ``v.timeRangeStop`` and ``now()``.

A script that was written for InfluxDB's task engine becomes backfillable as it is; its ``option task`` gives the
grid's ``every``. A script that cannot be written (no ``_measurement`` left for ``to()``) or that reads raw points
where it need not is stopped before it reads anything.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

with DAG(
    "own_scripts",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
) as dag:
    FluxRollupOperator(task_id="hourly_mean", flux="flux/hourly_mean.flux", target_bucket="rollup_hourly")
    FluxRollupOperator(
        task_id="ten_minute_mean", flux="flux/ten_minute_mean.flux", target_bucket="aggregated_telemetry"
    )
    FluxRollupOperator(task_id="hourly_last", flux="flux/hourly_last.flux", target_bucket="hourly_rollups")
