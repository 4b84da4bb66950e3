"""Five measurements in three tiers, declared in a YAML file that the command line reads too.

Each measurement is a group of tasks of its own: one can fail, or be run again, without the others. After a change of the file
the next run rolls up again what the change is about, a day back; `influx-rollup plan --lifecycle` says before what that is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, lifecycle_task_group

with DAG(
    "lifecycle_from_yaml",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 2},
):
    lifecycle_task_group(Lifecycle.from_yaml(Path(__file__).with_name("host_metrics.yaml")), group_id="hosts")
