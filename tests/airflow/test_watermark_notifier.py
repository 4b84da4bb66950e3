"""How late a pipeline is, by a ledger that real rollups have written, as Airflow's callbacks tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.notifications.watermark import WatermarkNotifier
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

HOUR = timedelta(hours=1)


@pytest.fixture
def place(client: InfluxClient, bucket_factory: Callable[[], str]) -> dict[str, Any]:
    return {"ledger_bucket": bucket_factory(), "status_bucket": bucket_factory(), "source": bucket_factory()}


def roll(client: InfluxClient, place: dict[str, Any], bucket: str, stop: datetime) -> None:
    client.write_lines(place["source"], [f"m temp=1 {int((stop - HOUR).timestamp())}000000000"])
    FluxRollupOperator(
        task_id="t",
        influx_conn_id="tele",
        source_bucket=place["source"],
        target_bucket=bucket,
        measurement="m",
        every="1h",
        aggregates=["count"],
        pipeline="p",
        ledger_bucket=place["ledger_bucket"],
        start=stop - HOUR,
        stop=stop,
    ).execute(make_context())


def levels(client: InfluxClient, place: dict[str, Any]) -> list[tuple[str, str]]:
    flux = (
        f'from(bucket: "{place["status_bucket"]}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "statuses" '
        'and r._field == "_message") |> group() |> sort(columns: ["_time"])'
    )
    return [(row["_level"], row["_value"]) for row in client.query(flux)]


def call(place: dict[str, Any], way: str, within: str = "3h") -> None:
    kept = {name: place[name] for name in ("ledger_bucket", "status_bucket")}
    notifier = WatermarkNotifier(pipeline="p", within=within, influx_conn_id="tele", **kept)
    if way == "worker":
        notifier.notify({})
    else:
        asyncio.run(notifier.async_notify({}))


@pytest.mark.parametrize("way", ["worker", "triggerer"])
def test_alarm_and_one_recovery_when_a_pipeline_is_late_and_comes_back(
    client: InfluxClient, place: dict[str, Any], bucket_factory: Callable[[], str], way: str
) -> None:
    target = bucket_factory()
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    call(place, way)
    assert [level for level, _ in levels(client, place)] == ["crit"]
    assert "no window of it is COMMITTED" in levels(client, place)[0][1]
    roll(client, place, target, now - 10 * HOUR)
    call(place, way)
    told = levels(client, place)
    assert [level for level, _ in told] == ["crit", "crit"]
    assert (now - 10 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ") in told[1][1]
    roll(client, place, target, now - HOUR)
    for _ in range(2):
        call(place, way)
    assert [level for level, _ in levels(client, place)] == ["crit", "crit", "ok"]


def test_nothing_is_written_when_a_pipeline_was_never_late(
    client: InfluxClient, place: dict[str, Any], bucket_factory: Callable[[], str]
) -> None:
    roll(client, place, bucket_factory(), datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    call(place, "worker")
    assert levels(client, place) == []


def test_window_that_is_written_again_does_not_count(
    client: InfluxClient, place: dict[str, Any], bucket_factory: Callable[[], str]
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    roll(client, place, bucket_factory(), now)
    receipt = f'window_receipt,pipeline=p,stage=rollup claimed_by="another" {int((now - HOUR).timestamp())}000000000'
    client.write_lines(place["ledger_bucket"], [receipt])
    call(place, "worker")
    assert [level for level, _ in levels(client, place)] == ["crit"]


def test_level_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="level='ok'"):
        WatermarkNotifier(pipeline="p", within="1h", level="ok")


def test_deadline_alert_takes_the_notifier() -> None:
    sdk = pytest.importorskip("airflow.sdk")
    if not hasattr(sdk, "DeadlineAlert"):
        pytest.skip("Airflow 3.1 and later")
    callback = sdk.AsyncCallback(WatermarkNotifier, kwargs={"pipeline": "p", "within": "2h"})
    assert callback.path == "airflow_provider_influx_rollup.notifications.watermark.WatermarkNotifier"
