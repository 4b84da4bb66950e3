"""One task per bucket: dynamic task mapping over the buckets of several sites.

Each mapped task has its own windows in the ledger, so one site can be run again without the others.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

SITES = ["berlin", "nairobi"]

with DAG(
    "many_buckets",
    schedule=CronDataIntervalTimetable("0 */6 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
) as dag:
    FluxRollupOperator.partial(
        task_id="rollup_1h",
        measurement="sensor_readings",
        every="1h",
        fields=["temperature", "humidity"],
        aggregates=["count", "mean", "median", "p99", "stddev"],
        map_index_template="{{ task.source_bucket }}",
    ).expand_kwargs(
        [{"source_bucket": f"{site}_raw", "target_bucket": f"{site}_hourly"} for site in SITES],
    )
