"""Stages whose lineage is looked at: each reads and writes something else, and the last one fails."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator

with DAG(
    "lineage",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
):
    validate = FluxValidateOperator(
        task_id="validate",
        bucket="raw",
        measurement="m",
        rules=[
            {"rule": "range", "name": "warm", "field": "temp", "high": 30},
            {"rule": "finite", "field": "temp"},
        ],
        quarantine_bucket="quarantine",
        on_failure="warn",
    )
    rollup = FluxRollupOperator(
        task_id="rollup",
        source_bucket="raw",
        target_bucket="rolled",
        measurement="m",
        every="10m",
        aggregates=["count", "max"],
        pipeline="rolled",
    )
    reconcile = FluxReconcileOperator(task_id="reconcile", pipeline="rolled")
    archive = ArchiveWindowOperator(
        task_id="archive",
        bucket="raw",
        measurement="m",
        path=os.environ.get("LINEAGE_ARCHIVE", "/lineage-archive"),
    )
    deadman = DeadmanCheckOperator(
        task_id="deadman", bucket="raw", measurement="m", group_by=["d"], silence="1h", status_bucket="states"
    )
    ask = FluxQueryOperator(
        task_id="ask",
        flux='from(bucket: "raw") |> range(start: v.timeRangeStart, stop: v.timeRangeStop) |> count()',
    )
    lost = FluxRollupOperator(
        task_id="lost",
        source_bucket="raw",
        target_bucket="nowhere",
        measurement="m",
        every="1h",
        aggregates=["count"],
    )
    validate >> rollup >> reconcile >> archive >> deadman >> ask >> lost
