"""The operator of buckets in Airflow: as a setup task, in a lifecycle, and what is refused when a DAG is parsed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.buckets import Bucket, EnsureBucketsOperator
from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, Tier, lifecycle_task_group
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2025, 3, 8, tzinfo=UTC)


def context() -> dict[str, Any]:
    return make_context(data_interval_start=START, data_interval_end=START)


def test_buckets_are_made_when_a_setup_task_declares_them(client: InfluxClient) -> None:
    from airflow.providers.common.compat.sdk import DAG

    name = f"made_{uuid.uuid4().hex[:10]}"
    with DAG("a", schedule=None, start_date=START):
        task = EnsureBucketsOperator(
            task_id="b", influx_conn_id="tele", buckets=[Bucket(name, retention="7d")]
        ).as_setup()
    assert task.is_setup
    assert task.execute(context())["state"] == "ensured"
    found = client.find_bucket(name)
    assert found is not None
    assert found.retention_seconds == 7 * 86_400
    assert task.execute(context())["changes"] == []


def test_task_fails_for_good_when_points_would_be_lost(client: InfluxClient) -> None:
    name = f"made_{uuid.uuid4().hex[:10]}"
    client.ensure_bucket(name)
    client.write_lines(name, ["m x=1 1741392000000000000"])
    task = EnsureBucketsOperator(task_id="b", influx_conn_id="tele", buckets=[Bucket(name, retention="7d")])
    with pytest.raises(AirflowFailException, match="neither rolled up nor archived"):
        task.execute(context())


@pytest.mark.parametrize("measurement", ["m", ["m", "n"]])
def test_buckets_come_first_when_a_lifecycle_declares_them(measurement: Any) -> None:
    from airflow.providers.common.compat.sdk import DAG

    tiers = [Tier("hours", "1h", ["count"])]
    lifecycle = Lifecycle("raw", measurement, tiers, buckets=[Bucket("hours")], reconcile="1d")
    with DAG("a", schedule=None, start_date=START) as dag:
        lifecycle_task_group(lifecycle, influx_conn_id="tele")
    assert [task.task_id for task in dag.roots] == ["lifecycle.buckets"]
    assert len(dag.get_task("lifecycle.buckets").downstream_task_ids) == (1 if measurement == "m" else 2)


def test_dag_is_refused_when_it_declares_no_bucket() -> None:
    for wrong in ([], ["raw"]):
        with pytest.raises(ConfigurationError, match="no list of Bucket"):
            EnsureBucketsOperator(task_id="b", buckets=wrong)  # type: ignore[arg-type]


def test_no_bucket_is_changed_when_a_tier_would_write_the_rows_of_another(
    client: InfluxClient, bucket_factory: Callable[[str], str]
) -> None:
    from airflow.providers.common.compat.sdk import DAG

    raw, hours, ledger = bucket_factory("raw"), bucket_factory("hours"), f"ledger_{uuid.uuid4().hex[:8]}"
    client.write_lines(raw, ["m x=1 1741392000000000000"])

    def tasks(**changes: Any) -> tuple[Any, Any]:
        # the same fields of the same target, by another name and of other points
        tiers = [Tier(hours, "1h", ["count"], name=changes.pop("name"))]
        buckets = [Bucket(hours, **changes.pop("bucket", {}))]
        lifecycle = Lifecycle(raw, "m", tiers, buckets=buckets, ledger_bucket=ledger, **changes)
        with DAG("a", schedule=None, start_date=START) as dag:
            lifecycle_task_group(lifecycle, influx_conn_id="tele")
        return dag.get_task("lifecycle.buckets"), dag.get_task("lifecycle.rollup_1h")

    first, rollup = tasks(name="one")
    assert first.execute(context())["changes"] == []
    hour = make_context(data_interval_start=START, data_interval_end=START + timedelta(hours=1))
    assert rollup.execute(hour)["rows_in"] == 1
    second, _ = tasks(name="two", tags={"host": "a"}, bucket={"retention": "30y"})
    with pytest.raises(AirflowFailException, match="'two' those of 'one'"):
        second.execute(context())
    found = client.find_bucket(hours)
    assert found is not None
    assert found.retention_seconds == 0
