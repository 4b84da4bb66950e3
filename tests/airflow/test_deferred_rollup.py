"""A rollup of several measurements, which waits in the triggerer and works in a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import TaskDeferred
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def stop() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def wanted(client: InfluxClient, bucket_factory: Callable[[], str], stop: datetime) -> dict[str, Any]:
    buckets = {"source_bucket": bucket_factory(), "target_bucket": bucket_factory()}
    for measurement in ("a", "b"):
        add_point(client, buckets["source_bucket"], measurement, stop - timedelta(seconds=50))
    # a grid of seconds, so that a window ends now
    return {
        **buckets,
        "task_id": "rollup",
        "influx_conn_id": "tele",
        "measurement": ["a", "b"],
        "every": "60s",
        "offset": f"{stop.second}s",
        "aggregates": ["count"],
        "start": stop - MINUTE,
        "stop": stop,
        "ledger_bucket": bucket_factory(),
        "deferrable": True,
    }


def add_point(client: InfluxClient, bucket: str, measurement: str, at: datetime) -> None:
    client.write_lines(bucket, [f"{measurement} temp=1 {int(at.timestamp())}000000000"])


async def first_event(trigger: Any) -> Any:
    return await asyncio.wait_for(anext(trigger.run()), 30)


def test_several_measurements_wait_in_the_triggerer_when_their_window_is_not_due(
    client: InfluxClient, wanted: dict[str, Any], stop: datetime
) -> None:
    wanted["lateness"] = "5s"
    with pytest.raises(TaskDeferred) as caught:
        FluxRollupOperator(**wanted).execute(make_context())
    for measurement in ("a", "b"):
        add_point(client, wanted["source_bucket"], measurement, stop - timedelta(seconds=20))
    event = asyncio.run(first_event(caught.value.trigger))
    assert datetime.now(UTC) >= stop + timedelta(seconds=5)
    again = FluxRollupOperator(**wanted)
    results = getattr(again, caught.value.method_name)(make_context(), event.payload)
    assert [(one["rows_in"], one["state"]) for one in results] == [(2, "COMMITTED")] * 2


def test_several_measurements_are_rolled_up_at_once_when_their_window_is_due(wanted: dict[str, Any]) -> None:
    results = FluxRollupOperator(**wanted).execute(make_context())
    assert [(one["rows_in"], one["state"]) for one in results] == [(1, "COMMITTED")] * 2
