"""A thousand windows that wait at once, and batches that ask a thousand questions: few connections, few threads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import MAX_THREADS
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.hooks.client_cache import close_all_clients
from airflow_provider_influx_rollup.settings import RollupSettings
from airflow_provider_influx_rollup.steps.many import MOST_AT_ONCE
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger
from airflow_provider_influx_rollup.triggers.window_ready import WindowReadyTrigger
from tests.conftest import InfluxServer
from tests.faults.proxy import FaultProxy, running_proxy

pytestmark = [pytest.mark.live, pytest.mark.airflow]

TRIGGERS = 1000
START = datetime(2024, 5, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def proxy(influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """The connection ``counted`` leads through it."""
    with running_proxy(influx.url) as running:
        extra = {"org": influx.org, "deadline_seconds": 30}
        conn = {"conn_type": "influx_rollup", "host": running.url, "password": influx.token, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_COUNTED", json.dumps(conn))
        close_all_clients()
        yield running
        close_all_clients()


def waiting(bucket: str, hour: int, deadline: datetime) -> WindowReadyTrigger:
    """A trigger that waits for the data of an hour."""
    start = START + hour * HOUR
    return WindowReadyTrigger(
        spec={"bucket": bucket, "measurement": "fleet"},
        interval={"start": start.isoformat(), "stop": (start + HOUR).isoformat()},
        poke_interval_seconds=0.1,
        deadline=deadline.isoformat(),
        influx_conn_id="counted",
    )


async def outcome(trigger: WindowReadyTrigger) -> Any:
    """The payload of a trigger's only event."""
    (event,) = [event async for event in trigger.run()]
    return event.payload


def threads_by_pool() -> Counter[str]:
    """How many threads each pool has, whoever started them."""
    names = (one.name.rpartition("_")[0] for one in threading.enumerate())
    return Counter(name for name in names if name.startswith("influx-rollup"))


def test_thousand_deferred_windows_share_the_connections_of_one_pool(
    proxy: FaultProxy, client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    # one window is complete, so that the looks are known to see the data
    client.write_lines(bucket, [f"fleet temp=1 {int(START.timestamp()) * 10**9}"])
    past = datetime.now(UTC) - timedelta(seconds=1)

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(outcome(waiting(bucket, hour, past)) for hour in range(TRIGGERS)))

    events = asyncio.run(all_of_them())
    states = [event["status"] for event in events]
    assert states == ["success"] + ["timeout"] * (TRIGGERS - 1)
    assert 1 <= proxy.connection_count <= min(MAX_THREADS, RollupSettings().pool_size)
    pools = threads_by_pool()
    assert pools
    assert max(pools.values()) <= MAX_THREADS


def asking(bucket: str, hour: int) -> LifecycleJobTrigger:
    """A trigger that counts the points of each quarter of an hour, as many at a time as a batch may."""
    start = START + hour * HOUR
    flux = f'from(bucket: "{bucket}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop) |> count()'
    return LifecycleJobTrigger(
        verb="query_batch",
        spec={"queries": {"points": flux}, "every": "15m", "max_parallel": 8},
        intervals=[{"start": start.isoformat(), "stop": (start + HOUR).isoformat()}],
        run_info={"dag_id": "d", "task_id": "t", "run_id": "r"},
        influx_conn_id="counted",
    )


def test_many_batches_share_the_connections_of_one_pool(
    proxy: FaultProxy, client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket, batches = bucket_factory(), 120
    first = int(START.timestamp())
    client.write_lines(
        bucket, [f"fleet temp=1 {first + hour * 3600 + 1800}000000000" for hour in range(0, batches, 2)]
    )

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(outcome(asking(bucket, hour)) for hour in range(batches)))

    results = [event["result"] for event in asyncio.run(all_of_them())]
    rows = [[answer["rows"] for answer in result["answers"]] for result in results]
    assert rows == [[0, 0, 1, 0], [0, 0, 0, 0]] * (batches // 2)
    # those of the questions, and a few that ask for the time
    assert 1 <= proxy.connection_count <= 2 * MAX_THREADS
    assert threads_by_pool()["influx-rollup-many"] <= MOST_AT_ONCE
