"""One rollup for each kind of backfill, each with a target of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from tests.airflow.dags.rules import AGGREGATES, KINDS

for kind in KINDS:
    with DAG(
        f"backfill_{kind}",
        # two windows in each data interval
        schedule=CronDataIntervalTimetable("0 */2 * * *", timezone="UTC"),
        start_date=datetime(2025, 3, 8, tzinfo=UTC),
        # no runs of today: what runs is the backfill, and the schedule of the third
        end_date=datetime(2025, 3, 8, 10, tzinfo=UTC),
        catchup=kind == "scheduled",
        max_active_runs=2,
        is_paused_upon_creation=kind == "scheduled",
    ) as dag:
        FluxRollupOperator(
            task_id="rollup_1h",
            source_bucket="raw_telemetry",
            target_bucket=f"hourly_{kind}",
            measurement="sensor_readings",
            every="1h",
            aggregates=AGGREGATES,
        )
    globals()[dag.dag_id] = dag
