"""A lifecycle for each file that a test writes beside this one, and writes again; its connection has the DAG's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, lifecycle_task_group

for path in Path(__file__).parent.glob("lifecycle_*.json"):
    with DAG(
        path.stem,
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        # no runs of today: what runs are the backfills
        end_date=datetime(2025, 3, 4, tzinfo=UTC),
        catchup=False,
        max_active_runs=2,
        default_args={"retries": 1, "retry_delay": timedelta()},
    ) as dag:
        lifecycle_task_group(Lifecycle.from_yaml(path), group_id="hosts", influx_conn_id=path.stem)
    globals()[dag.dag_id] = dag
