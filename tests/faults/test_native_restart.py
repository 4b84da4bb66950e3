"""InfluxDB dies before a step of a rollup that it computes itself, and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.steps.influx import Gather
from airflow_provider_influx_rollup.steps.tasks import FindRun
from tests import oracle
from tests.conftest import InfluxServer
from tests.scenes.native_rollup_scene import left_rows, left_tasks, native_steps, watched
from tests.scenes.rollup_runs import Place, interval, make_place
from tests.servers.own_server import kill_and_start, own_server

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(300)]

HOUR = interval("2025-03-08T12:00", "2025-03-08T13:00")
DAY = interval("2025-03-08T00:00", "2025-03-09T00:00")
NOT_BEGUN = "scheduled"
STEPS = ("CreateTask", "StartRun", "FindRun", "StagedChains", "ListTasks", "Delete", "DeleteTask")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restarts")


@pytest.fixture(scope="module")
def mortal(folder: Path) -> Iterator[InfluxServer]:
    with own_server(folder) as server:
        yield InfluxServer(server.url, server.org, server.token)


@pytest.mark.parametrize("step", STEPS)
def test_a_window_is_right_when_influxdb_is_killed_before_a_step(
    mortal: InfluxServer, folder: Path, step: str
) -> None:
    settings = ClientSettings(
        url=mortal.url, org=mortal.org, token=lambda _: mortal.token, deadline_seconds=60
    )
    killed: list[str] = []

    def look(pending: Any) -> None:
        name = type(pending).__name__
        if name == step and not killed:
            killed.append(name)
            kill_and_start(folder / "data")

    with InfluxClient(settings) as client:
        place = make_place(mortal, client)
        lines = [
            f"readings,device={name} x={number} {HOUR.start_ns + number}" for number, name in enumerate("aab")
        ]
        client.write_lines(place.source, lines)
        spec = place.spec("1h", ("count", "sum"), pipeline=place.ledger)
        result = drive(watched(native_steps(spec, HOUR), look), client, lambda _: None).as_json()
        assert killed == [step]
        assert result["state"] == "COMMITTED"
        found = {(r["device"], r["_field"]): r["_value"] for r in place.stored().to_dict("records")}
        assert found == {("a", "x_count"): 2, ("a", "x_sum"): 1.0, ("b", "x_count"): 1, ("b", "x_sum"): 2.0}
        assert (left_tasks(place, spec), left_rows(place)) == ([], 0)


def points_of_a_day(place: Place) -> pd.DataFrame:
    """So many that InfluxDB computes them for longer than a moment."""
    times = pd.date_range(DAY.start, DAY.stop, freq="1s", inclusive="left", unit="ns")
    frames = [
        pd.DataFrame(
            {"_time": times, "device": name, "x": (np.arange(len(times)) * factor % 89).astype(float)}
        )
        for name, factor in (("a", 7.0), ("b", 11.0), ("c", 13.0))
    ]
    points = pd.concat(frames, ignore_index=True)
    lines = [
        f"readings,device={name} x={value} {at}"
        for name, value, at in zip(
            points["device"], points["x"], points["_time"].astype("int64"), strict=True
        )
    ]
    place.client.write_lines(place.source, lines)
    return points


def still_computes(client: InfluxClient, step: FindRun, moment: float) -> bool:
    """Wait until a run has begun, and for so many seconds more; whether it is still under way."""

    def status() -> str:
        run = client.tasks.find_run(step.task_id, step.run_id)
        return run.status if run else NOT_BEGUN

    while status() == NOT_BEGUN:
        time.sleep(0.01)
    time.sleep(moment)
    return status() == "started"


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0, 0.05, 0.1, 0.2])
def test_a_day_is_right_when_influxdb_is_killed_while_it_computes(
    mortal: InfluxServer, folder: Path, moment: float
) -> None:
    killed: list[str] = []
    said: list[str] = []
    settings = ClientSettings(
        url=mortal.url, org=mortal.org, token=lambda _: mortal.token, deadline_seconds=60
    )
    with InfluxClient(settings) as client:
        place = make_place(mortal, client)
        points = points_of_a_day(place)
        aggregates = ["count", "sum", "min", "max", "mean"]
        spec = place.spec("20s", aggregates, pipeline=place.ledger)

        def look(pending: Any) -> None:
            # blocks are done at the same time
            for step in pending.steps if isinstance(pending, Gather) else [pending]:
                if isinstance(step, FindRun) and not killed and still_computes(client, step, moment):
                    killed.append(step.run_id)
                    kill_and_start(folder / "data")

        steps = watched(native_steps(spec, DAY), look)
        result = drive(steps, client, lambda report: said.append(report.message)).as_json()
        assert killed, said
        assert result["state"] == "COMMITTED"
        assert set(place.states(place.ledger).values()) == {"COMMITTED"}
        assert len(place.states(place.ledger)) == 4320
        spans = oracle.windows(DAY.start, DAY.stop, "20s")
        expected = oracle.rollup(points, ["device"], spans, {"x": aggregates})
        assert len(expected) == 4320 * 3 * 5
        assert place.differences(expected) == [], said
        assert (left_tasks(place, spec), left_rows(place)) == ([], 0), said
