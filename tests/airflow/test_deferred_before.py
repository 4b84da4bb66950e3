"""Tasks that an earlier version has deferred end well after an upgrade: their triggers are stored, and rebuilt by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.hooks.client_cache import close_all_clients
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.validate import FluxValidateOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor
from dev.influx_http import InfluxAddress
from tests.scenes.task_scene import fire, make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow]

#: as 0.1.0 stored them, of each stage that could be deferred
STORED: dict[str, Any] = json.loads((Path(__file__).parent / "deferred/version_0_1.json").read_text())[
    "deferred"
]
HOSTS, POINTS = ("a", "b", "c"), 24
FIRST = 1_767_225_600
OPERATORS: dict[str, Callable[[], Any]] = {
    "rollup": lambda: FluxRollupOperator(
        task_id="t", source_bucket="r", target_bucket="h", measurement="cpu", every="1h", aggregates=["count", "sum"]
    ),
    "script": lambda: FluxRollupOperator(task_id="t", flux="buckets()", target_bucket="h"),
    "reconcile": lambda: FluxReconcileOperator(task_id="t", pipeline="before"),
    "deadman": lambda: DeadmanCheckOperator(task_id="t", bucket="r", measurement="cpu"),
    "validate": lambda: FluxValidateOperator(
        task_id="t", bucket="r", measurement="cpu", rules=[{"rule": "range", "field": "usage", "low": 0}],
        on_failure="quarantine", quarantine_bucket="q",
    ),
    "query": lambda: FluxQueryOperator(task_id="t", flux="buckets()"),
    "sensor": lambda: WindowCompleteSensor(task_id="t", bucket="r", measurement="cpu"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(new_organisation: Callable[[], InfluxAddress]) -> Iterator[InfluxClient]:
    """An organisation with the buckets of the stored triggers, and points every five minutes."""
    address = new_organisation()
    lines = [
        f"cpu,host={host} usage={number} {(FIRST + number * 300) * 10**9}"
        for number in range(POINTS)
        for host in HOSTS
    ]
    with InfluxClient(
        ClientSettings(url=address.url, org=address.org, token=lambda _: address.token)
    ) as client:
        for bucket in ("before_raw", "before_hourly", "before_ledger", "rollup_ledger"):
            client.ensure_bucket(bucket)
        client.write_lines("before_raw", lines)
        extra = {"org": address.org}
        tele = {"conn_type": "influx_rollup", "host": address.url, "password": address.token, "extra": extra}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_TELE", json.dumps(tele))
            close_all_clients()
            yield client
            close_all_clients()


def resumed(stage: str) -> Any:
    """Rebuild the trigger as a triggerer does, take its event and give it to the task."""
    stored = STORED[stage]
    module, _, name = stored["classpath"].rpartition(".")
    trigger = getattr(import_module(module), name)(**stored["kwargs"])
    return getattr(OPERATORS[stage](), stored["method_name"])(make_context(), fire(trigger))


def rows(client: InfluxClient, measurement: str) -> dict[tuple[str, str], list[float]]:
    flux = f"""from(bucket: "before_hourly") |> range(start: 2026-01-01T00:00:00Z, stop: 2026-01-01T02:00:00Z)
        |> filter(fn: (r) => r._measurement == "{measurement}")"""
    found: dict[tuple[str, str], list[float]] = {}
    for row in sorted(client.query(flux), key=lambda row: row["_time"]):
        found.setdefault((row["host"], row["_field"]), []).append(row["_value"])
    return found


def test_rollup_and_its_reconcile(server: InfluxClient) -> None:
    result = resumed("rollup")
    assert (result["state"], result["windows"], result["rows_in"]) == ("COMMITTED", 2, POINTS * len(HOSTS))
    halves = [list(range(12)), list(range(12, 24))]
    expected = {
        (host, f"usage_{name}"): [float(how(half)) for half in halves]
        for host in HOSTS
        for name, how in (("count", len), ("sum", sum))
    }
    assert rows(server, "cpu") == expected
    again = resumed("reconcile")
    assert (again["windows"], again["is_clean"], again["dirty_total"]) == (2, True, 0)


def test_rollup_by_script(server: InfluxClient) -> None:
    assert resumed("script")["state"] == "COMMITTED"
    assert rows(server, "cpu_max") == {(host, "usage"): [11.0, 23.0] for host in HOSTS}


@pytest.mark.usefixtures("server")
def test_stages_that_look() -> None:
    # the points end at 01:55, and those above 20 are three of each host
    assert resumed("deadman")["alive"] == len(HOSTS)
    assert resumed("validate")["violated"] == ["range:usage"]
    assert resumed("query")["rows"] == len(HOSTS)
    assert resumed("sensor")["series"] == len(HOSTS)


def test_every_stage_has_its_task() -> None:
    assert set(STORED) == set(OPERATORS)
