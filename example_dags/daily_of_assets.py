"""Days of the hours that ``hourly_assets`` tells of: rolled up when their hours are there, and again when one has changed.

Needs the buckets ``telemetry_1h`` and ``telemetry_1d``. From Airflow 3.3 on each day is a run, with its start as the partition
key. Before, a run is about the hours of the events, and rolls up the days that they complete.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import has_partitions
from airflow_provider_influx_rollup.assets.uri import measurement_asset
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

hourly = measurement_asset("telemetry_1h", "sensor_readings")
schedule: Any = [hourly]
if has_partitions():
    from airflow.sdk import PartitionedAssetTimetable

    schedule = PartitionedAssetTimetable(assets=hourly)

with DAG("daily_of_assets", schedule=schedule, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
    FluxRollupOperator(
        task_id="rollup_1d",
        source_bucket="telemetry_1h",
        target_bucket="telemetry_1d",
        measurement="sensor_readings",
        aggregates=["count", "min", "max", "mean"],
        every="1d",
        timezone="Europe/Berlin",
        source_tier="telemetry_1h",
        windows="complete",
        window="1d",
        outlets="auto",
    )
