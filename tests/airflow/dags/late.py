"""Rollups of a pipeline that a deadline looks after: it has passed before any run can end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.notifications.watermark import WatermarkNotifier
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

if find_spec("airflow.sdk") is not None:
    from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

    LATE = {"pipeline": "late", "within": "3h", "status_bucket": "late_statuses"}
    deadline = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(milliseconds=10),
        callback=AsyncCallback(WatermarkNotifier, kwargs=LATE),
    )
    with DAG("late", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC), deadline=deadline):
        FluxRollupOperator(
            task_id="rollup",
            source_bucket="late_raw",
            target_bucket="late_hours",
            measurement="m",
            every="1h",
            lateness="0s",
            aggregates=["count"],
            pipeline="late",
            retries=0,
        )
