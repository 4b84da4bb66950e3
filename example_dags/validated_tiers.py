"""Validation in front of three tiers: only points that break no rule are rolled up.

The rules are in a file beside the DAG. Points that break one are copied to a quarantine, each with its rule; the others go
to a bucket of their own, with the names of the sites spelled alike and the humidity as a share. The tiers read that bucket.
What each rule found is kept in the ledger bucket, measurement validation_results.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, Tier, lifecycle_task_group

PARTS = ["count", "sum", "min", "max", "last"]
telemetry = Lifecycle(
    source_bucket="telemetry_clean",
    measurement="sensor_readings",
    fields=["temperature", "humidity"],
    tiers=[
        Tier("clean_5m", every="5m", aggregates=PARTS),
        Tier("clean_1h", every="1h", aggregates=[*PARTS, "mean"]),
        Tier("clean_1d", every="1d", aggregates=["count", "mean", "min", "max", "last"]),
    ],
)

with DAG(
    "validated_tiers",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 2},
):
    validate = FluxValidateOperator(
        task_id="validate",
        bucket="raw_telemetry",
        measurement="sensor_readings",
        rules="rules/telemetry.yaml",
        lateness="10m",
        quarantine_bucket="telemetry_quarantine",
        clean_bucket="telemetry_clean",
        on_failure="quarantine",
    )
    validate >> lifecycle_task_group(telemetry, group_id="tiers")
