"""Real Airflow processes that wait for a rollup of InfluxDB are killed with SIGKILL at random requests, again and again."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from dev.airflow_backfill import Backfill, BackfillStates, make_ready, run_backfill, unpause
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import Processes, wait_until
from tests import oracle
from tests.faults.request_proxy import NO_FAULT, Fault, RequestProxy, running_request_proxy

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.live,
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

DAY = datetime(2025, 3, 8, tzinfo=UTC)
ENDS = ("2025-03-08", "2025-03-09")
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
KILLS = 6
# a rollup that nobody kills sends 25, and one more for each later look at its task
MAX_REQUESTS = 24


@dataclass
class Killer:
    """Kills the process that sends a request, after a random number of them, and changes the source meanwhile.

    :param change: overwrites a point, unless a window was committed with it
    """

    proxy: RequestProxy
    change: Callable[[], object]
    seed: int
    killed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Choose after how many requests of the next process it ends."""
        self._left = self._random.randrange(1, MAX_REQUESTS)

    def decide(self, kind: str, request: bytes) -> Fault:
        """Let a request pass, or end its process before the server has it or after it has answered."""
        with self._lock:
            if len(self.killed) == KILLS:
                return NO_FAULT
            self._left -= 1
            if self._left:
                return NO_FAULT
            line = request.split(b"\r\n", 1)[0].decode()
            self.killed.append(f"{kind} {line}")
            self.begin()
        if self._random.random() < 0.5:
            return Fault("canned", before=self._kill)
        return Fault("answered", answered=self._kill)

    def _kill(self) -> None:
        port = int(self.proxy.url.rpartition(":")[2])
        for process in psutil.process_iter():
            if any(one.raddr and one.raddr.port == port for one in connections_of(process)):
                process.kill()
        self.change()


def connections_of(process: psutil.Process) -> list[Any]:
    """TCP connections of a process; none of one that has ended, or is this one."""
    if process.pid == psutil.Process().pid:
        return []
    try:
        return process.net_connections("tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


@dataclass
class Scene:
    """An Airflow whose tasks reach InfluxDB through a proxy, and a day of points."""

    airflow: AirflowProcess
    place: InfluxAddress
    proxy: RequestProxy
    points: pd.DataFrame

    @property
    def address(self) -> tuple[str, str, str]:
        """Of the server itself."""
        return self.place.url, self.place.org, self.place.token

    def write(self, rows: pd.DataFrame) -> None:
        """Write points to the source."""
        lines = [
            f"m,host={row.host} x={row.x} {row.at.value}"
            for row in rows.rename(columns={"_time": "at"}).itertuples()
        ]
        for _ in self.place.write("raw", lines):
            pass

    def change(self, pipeline: str) -> None:
        """Overwrite a point: no count tells. A retry of what is committed does nothing, and would not see it."""
        if "COMMITTED" in self.states(pipeline):
            return
        number = int(self.points["x"].argmin())
        self.points.loc[number, "x"] = float(self.points["x"].max()) + 1.0
        self.write(self.points.iloc[[number]])

    def differences(self, bucket: str) -> list[str]:
        """What pandas makes of the points, compared with the target."""
        spans = oracle.windows(*ENDS, "1h")
        expected = oracle.rollup(self.points, ["host"], spans, {"x": ["count", "sum", "max"]})
        assert len(expected) == 48 * 3
        return oracle.compare(oracle.read_target(*self.address, bucket, "m", *ALWAYS), expected)

    def states(self, pipeline: str) -> list[str]:
        """What the day's receipts say, as a reader of the ledger's page finds it."""
        flux = f"""from(bucket: "rollup_ledger") |> range(start: {ENDS[0]}, stop: {ENDS[1]})
            |> filter(fn: (r) => r._measurement == "window_receipt" and r.pipeline == "{pipeline}")
            |> filter(fn: (r) => r._field == "state" or r._field == "claimed_by" or r._field == "committed_by")
            |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")"""
        rows = oracle.query(*self.address, flux)
        return [
            row["state"] if row.get("claimed_by") == row.get("committed_by") else "WRITING" for row in rows
        ]

    def has_ended(self) -> bool:
        """Whether no run is on its way."""
        return not self.airflow.rows("select 1 from dag_run where state in ('queued', 'running')")

    def left(self) -> tuple[list[str], int]:
        """Tasks of InfluxDB that are there, and rows put aside."""
        tasks = self.place.request("GET", "/api/v2/tasks", org=self.place.org)["tasks"]
        flux = f"""from(bucket: "rollup_ledger") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
            |> filter(fn: (r) => r._measurement =~ /^rollup_computed/) |> count() |> group() |> sum()"""
        return [one["name"] for one in tasks], sum(
            int(row["_value"]) for row in oracle.query(*self.address, flux)
        )


@pytest.fixture
def scene(
    new_organisation: Callable[[], InfluxAddress], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    place = new_organisation()
    times = pd.date_range(*ENDS, freq="2min", inclusive="left", tz="UTC")
    points = pd.DataFrame(
        [
            {"_time": at, "host": host, "x": float(number * k % 89)}
            for k, host in ((7, "a"), (11, "b"))
            for number, at in enumerate(times)
        ]
    )
    dags = tmp_path / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).parent / "dags" / "killed_native.py", dags)
    with (
        place.buckets_made_meanwhile_deleted(),
        running_request_proxy(place.url) as proxy,
    ):
        place.fresh_buckets("raw", "killed_worker", "killed_triggerer", "rollup_ledger")
        extra = {"org": place.org, "deadline_seconds": 30}
        conn = {"conn_type": "influx_rollup", "host": proxy.url, "password": place.token, "extra": extra}
        environment = {
            "AIRFLOW_CONN_WATCHED": json.dumps(conn),
            # one that was killed is taken for dead after some seconds
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        }
        with AirflowProcess(tmp_path / "home", dags, environment=environment) as airflow:
            made = Scene(airflow, place, proxy, points)
            made.write(points)
            airflow.start()
            if not airflow.is_three:
                local = {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
                airflow.processes.start(
                    "scheduler", airflow.command("scheduler"), airflow.environment | local, airflow.home
                )
            yield made


def run_day(airflow: AirflowProcess, dag_id: str, progress: Callable[..., None] | None = None) -> None:
    """Run a DAG for the day: by a backfill, on 2.11 by a triggered run, as a backfill there ends when a task is killed."""
    if airflow.is_three:
        run_backfill(airflow, Backfill(dag_id, DAY, DAY), timeout=600, progress=progress)
        return
    make_ready(airflow, dag_id)
    # the data interval of such a run is the last one before its date
    airflow.cli("dags", "trigger", dag_id, "--exec-date", ENDS[1], retries=0)
    unpause(airflow, dag_id)

    def has_succeeded() -> bool:
        airflow.processes.check()
        if progress is not None:
            progress()
        runs = airflow.rows("select state from dag_run where dag_id = ? and external_trigger", (dag_id,))
        assert ("failed",) not in runs, airflow.task_log(dag_id)
        return runs == [("success",)]

    wait_until(has_succeeded, seconds=600, what=f"the triggered run of {dag_id} has succeeded")


def require_right(scene: Scene, waits_in: str, killer: Killer) -> None:
    assert len(killer.killed) == KILLS
    assert scene.differences(f"killed_{waits_in}") == [], killer.killed
    assert scene.states(f"killed in the {waits_in}") == ["COMMITTED"] * 24, killer.killed
    assert scene.left() == ([], 0), killer.killed


@pytest.mark.parametrize("seed", [1, 2])
def test_a_worker_is_killed_again_and_again(scene: Scene, seed: int) -> None:
    killer = Killer(scene.proxy, lambda: scene.change("killed in the worker"), seed)
    scene.proxy.plan(killer.decide)
    run_day(scene.airflow, "killed_worker")
    wait_until(scene.has_ended, seconds=200, what="all runs have ended")
    require_right(scene, "worker", killer)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_triggerer_is_killed_again_and_again(scene: Scene, seed: int, tmp_path: Path) -> None:
    triggerers = Processes(tmp_path / "triggerers")
    airflow = scene.airflow

    def keep_one(_: BackfillStates | None = None) -> None:
        """Begin one when there is none; the first one after the run was made, as both write to SQLite."""
        if not triggerers.running("triggerer"):
            triggerers.stop()
            triggerers.start("triggerer", airflow.command("triggerer"), airflow.environment, airflow.home)

    def has_ended() -> bool:
        keep_one()
        return scene.has_ended()

    killer = Killer(scene.proxy, lambda: scene.change("killed in the triggerer"), seed)
    scene.proxy.plan(killer.decide)
    try:
        run_day(airflow, "killed_triggerer", keep_one)
        wait_until(has_ended, seconds=200, what="all runs have ended")
    finally:
        triggerers.stop()
    require_right(scene, "triggerer", killer)
