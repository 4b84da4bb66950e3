"""Outlets of mapped tasks, which Airflow adds to a list before it makes a task of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator
from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator
from airflow_provider_influx_rollup.operators.export import ExportArchiveOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.restore import RestoreArchiveOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator

STAGES: list[tuple[Any, str]] = [
    (FluxRollupOperator, "source_bucket"),
    (FluxReconcileOperator, "pipeline"),
    (ArchiveWindowOperator, "bucket"),
    (FluxValidateOperator, "bucket"),
    (PurgeWindowOperator, "measurement"),
    (CompactArchiveOperator, "measurement"),
    (ExportArchiveOperator, "measurement"),
    (EraseSeriesOperator, "measurement"),
    (RestoreArchiveOperator, "measurement"),
]


@pytest.mark.parametrize(("stage", "mapped"), STAGES)
@pytest.mark.parametrize(
    ("given", "kept"), [({}, []), ({"outlets": "auto"}, ["auto"]), ({"outlets": ["auto"]}, ["auto"])]
)
def test_outlets_of_a_mapped_task_are_a_list(
    stage: Any, mapped: str, given: dict[str, Any], kept: list[str]
) -> None:
    with DAG("mapped", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        task = stage.partial(task_id="t", **given).expand(**{mapped: ["a", "b"]})
    assert task.inlets + task.outlets == kept


def test_a_mapped_task_without_outlets_shares_no_list_with_another() -> None:
    with DAG("mapped", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        one, other = (
            FluxRollupOperator(
                task_id=name,
                source_bucket="a",
                target_bucket="b",
                measurement="m",
                every="1h",
                aggregates=["count"],
            )
            for name in ("one", "other")
        )
    one.outlets.append("x")
    assert other.outlets == []
