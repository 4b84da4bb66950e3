"""Hours in Berlin that start daily runs: of whole days by the ledger, and by a mapper that waits for all hours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import has_partitions
from airflow_provider_influx_rollup.assets.uri import measurement_asset
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

PARTS = ["count", "sum", "min", "max"]
START = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = "Europe/Berlin"
WAYS: dict[str, Any] = {"ledger": "1d", "mapper": True}


def asset(way: str) -> Any:
    return measurement_asset(f"trip_hours_{way}", "m")


def rollup(way: str, task_id: str, **more: Any) -> FluxRollupOperator:
    return FluxRollupOperator(
        **{
            "task_id": task_id,
            "measurement": "m",
            "timezone": ZONE,
            "aggregates": PARTS,
            "retries": 0,
            **more,
        }
    )


if has_partitions():
    from airflow.sdk import PartitionedAssetTimetable

    from airflow_provider_influx_rollup.partitions.mappers import windows_in

    with DAG("trip_hours", schedule=None, start_date=START):
        for way, partitions in WAYS.items():
            rollup(
                way,
                f"hours_{way}",
                source_bucket="trip_raw",
                target_bucket=f"trip_hours_{way}",
                every="1h",
                pipeline=f"trip_hours_{way}",
                outlets="auto",
                partitions=partitions,
            )
    with DAG("trip_repair", schedule=None, start_date=START):
        FluxReconcileOperator(
            task_id="repair",
            pipeline="trip_hours_ledger",
            cascade=False,
            outlets=["auto", asset("ledger")],
            partitions="1d",
        )
    MAPPERS = {"ledger": {}, "mapper": {asset("mapper"): windows_in("1d", "1h", timezone=ZONE)}}
    for way, mappers in MAPPERS.items():
        days = PartitionedAssetTimetable(assets=asset(way), partition_mapper_config=mappers)
        with DAG(f"trip_days_{way}", schedule=days, start_date=START):
            rollup(
                way,
                "days",
                source_bucket=f"trip_hours_{way}",
                target_bucket=f"trip_days_{way}",
                every="1d",
                window="1d",
                source_tier=f"trip_hours_{way}",
                pipeline=f"trip_days_{way}",
            )
