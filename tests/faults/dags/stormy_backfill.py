"""All stages of a pipeline over two hours at a time, for a backfill whose processes are killed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.client import server_clock
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.task_groups.lifecycle import (
    Lifecycle,
    Tier,
    Validation,
    lifecycle_task_group,
)
from tests.faults.stormy_rules import DEFERRED, HIGH, LOWER, MEASUREMENT, PIPELINE, UPPER

# each worker's clock is off, or right
OFF = (timedelta(minutes=-10), timedelta(0), timedelta(minutes=10))[os.getpid() % 3]
server_clock.machine_now = lambda: datetime.now(UTC) + OFF

telemetry = Lifecycle(
    source_bucket="telemetry_clean",
    measurement=MEASUREMENT,
    fields=["temperature", "humidity"],
    tiers=[
        Tier("telemetry_30m", every="30m", aggregates=LOWER),
        Tier("telemetry_2h", every="2h", aggregates=UPPER),
    ],
    validation=Validation(
        rules=[{"rule": "range", "field": "temperature", "low": -40, "high": HIGH}],
        bucket="raw_telemetry",
        quarantine_bucket="telemetry_quarantine",
        on_failure="quarantine",
    ),
)

with DAG(
    "stormy_backfill",
    schedule=CronDataIntervalTimetable("0 */2 * * *", timezone="UTC"),
    start_date=datetime(2025, 3, 8, tzinfo=UTC),
    end_date=datetime(2025, 3, 9, tzinfo=UTC),
    catchup=False,
    max_active_runs=3,
    default_args={"retries": 20, "retry_delay": timedelta(seconds=1)},
) as dag:
    tiers = lifecycle_task_group(telemetry, group_id="tiers")
    deferred = FluxRollupOperator(
        task_id="rollup_1h",
        source_bucket="raw_telemetry",
        target_bucket="telemetry_1h",
        measurement=MEASUREMENT,
        every="1h",
        aggregates=DEFERRED,
        pipeline=PIPELINE,
        deferrable=True,
    )
    reconcile = FluxReconcileOperator(
        task_id="reconcile", lifecycle=telemetry, measurement=MEASUREMENT, cascade=True, deferrable=True
    )
    archive = ArchiveWindowOperator(
        task_id="archive",
        bucket="raw_telemetry",
        measurement=MEASUREMENT,
        path=os.environ["STORMY_ARCHIVE"],
        every="1h",
    )
    tiers >> reconcile
    deferred >> archive
