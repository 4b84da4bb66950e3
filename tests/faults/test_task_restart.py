"""InfluxDB dies while it runs one of its own tasks, and comes back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.task_run.task_run import run_task
from tests.scenes.native_scene import SLOW, clock, hours, try_of
from tests.servers.own_server import kill_and_start, own_server

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(300)]


def test_a_run_goes_on_when_influxdb_is_killed_and_started_again(tmp_path: Path) -> None:
    with own_server(tmp_path) as server:
        settings = ClientSettings(
            url=server.url, org=server.org, token=lambda _: server.token, deadline_seconds=60
        )
        with InfluxClient(settings) as client:
            client.tasks.create(SLOW.format(name="slow", count=2_500_000), "active", "")
            started = threading.Event()
            results: list[dict[str, Any]] = []

            def report(said: Any) -> None:
                if "Started" in said.message:
                    started.set()

            def wait() -> None:
                results.append(drive(run_task(try_of("slow"), hours(1), clock), client, report).as_json())

            thread = threading.Thread(target=wait)
            thread.start()
            assert started.wait(60)
            kill_and_start(tmp_path / "data")
            thread.join(200)
            assert [one["status"] for one in results] == ["success"]
