"""A lifecycle of a file that a test writes, and writes again."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, lifecycle_task_group

FILE = os.environ.get("CHANGED_LIFECYCLE")

if FILE:
    with DAG(
        "changed_lifecycle",
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        catchup=False,
    ):
        lifecycle_task_group(Lifecycle.from_yaml(FILE), group_id="hosts")
