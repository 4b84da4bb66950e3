"""Workers and servers that are killed in the middle of a rollup: nothing torn says COMMITTED, and a rerun is right."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path as File

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from dev.influx_server.places import CHECKOUT, DataDir
from dev.influx_server.processes import identity
from dev.influx_server.state import read_state
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Decide, Fault, RequestProxy, running_request_proxy
from tests.faults.rollup_worker import Worker
from tests.faults.scenes import PATHS, SPAN, Path, Scene, connect, make_scenes
from tests.scenes.rollup_runs import roll

pytestmark = [pytest.mark.faults, pytest.mark.live]

KILLED = -signal.SIGKILL
CHANGES = ("execute", "write", "delete")
RANDOM_KILLS = 10
MOMENTS = ("before", "at work", "answered")


@pytest.fixture
def proxy(influx: InfluxServer) -> Iterator[RequestProxy]:
    with running_request_proxy(influx.url) as running:
        yield running


@pytest.fixture(scope="module")
def new_scene(influx: InfluxServer, client: InfluxClient) -> Callable[[Path], Scene]:
    return make_scenes(influx, client)


def kill_at(moment: str, kill: Callable[[], object]) -> Fault:
    """A fault that kills: before the server has the request, while it works on it, or when it has answered."""
    if moment == "before":
        return Fault("request", 0.0, before=kill)
    if moment == "at work":
        return Fault("pass", seconds=0.001, sent=kill)
    return Fault("answer", 0.0, answered=kill)


def nth_change(nth: int, fault: Fault) -> Decide:
    """The fault at the nth request that changes something."""
    changes = itertools.count()
    return lambda kind, _request: fault if kind in CHANGES and next(changes) == nth else NO_FAULT


def assert_rerun_is_right(scene: Scene, case: object) -> None:
    """What every kill must leave behind."""
    assert scene.torn() == [], case
    roll(scene.place.client, scene.spec, SPAN)
    assert scene.differences() == [], case


@pytest.mark.parametrize("name", ["pushed", "ghosts and worker"])
def test_rerun_is_right_when_the_worker_is_killed_before_any_step(
    influx: InfluxServer, new_scene: Callable[[Path], Scene], name: str
) -> None:
    for step_count in itertools.count():
        scene = new_scene(PATHS[name])
        worker = Worker(scene, SPAN, influx.url, is_gated=True)
        step = worker.next_step()
        for _ in range(step_count):
            worker.go_on()
            step = worker.next_step()
        if step is None:
            break
        worker.kill()
        assert worker.wait() == KILLED
        assert_rerun_is_right(scene, (step_count, step))
    assert worker.wait() == 0
    assert scene.differences() == []
    assert step_count > 5


@pytest.mark.parametrize("name", ["pushed", "sliding", "merged", "ghosts"])
def test_rerun_is_right_when_the_worker_is_killed_in_a_request(
    proxy: RequestProxy, new_scene: Callable[[Path], Scene], name: str
) -> None:
    for number in itertools.count():
        scene = new_scene(PATHS[name])
        moment = MOMENTS[number % 3]
        worker = Worker(scene, SPAN, proxy.url)
        worker.next_step()
        proxy.plan(nth_change(number, kill_at(moment, worker.kill)))
        worker.go_on()
        status = worker.wait()
        if not proxy.fault_count:
            break
        assert status == KILLED
        assert_rerun_is_right(scene, (number, moment))
    assert status == 0
    assert scene.differences() == []
    assert number >= 4


def test_rerun_is_right_when_the_worker_is_killed_at_a_random_time(
    influx: InfluxServer, new_scene: Callable[[Path], Scene]
) -> None:
    choose = random.Random(20250308)
    killed_count = 0
    for number in range(RANDOM_KILLS):
        scene = new_scene(list(PATHS.values())[number % len(PATHS)])
        worker = Worker(scene, SPAN, influx.url)
        worker.next_step()
        timer = threading.Timer(choose.uniform(0.0, 0.1), worker.kill)
        timer.start()
        worker.go_on()
        status = worker.wait()
        timer.cancel()
        assert status in (0, KILLED)
        killed_count += status == KILLED
        assert_rerun_is_right(scene, number)
    assert killed_count > RANDOM_KILLS / 2


class MortalServer:
    """A server of its own that can be killed and comes back with its data."""

    def __init__(self, folder: File) -> None:
        self._data_dir = DataDir(folder)
        lines = self._dev_influx("start", "--port", "0").splitlines()
        values = dict(line.split("=", 1) for line in lines)
        self.address = InfluxServer(values["INFLUX_URL"], values["INFLUX_ORG"], values["INFLUX_TOKEN"])

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        running = read_state(self._data_dir)
        assert running is not None
        assert identity(running.pid) == running.identity
        os.kill(running.pid, signal.SIGKILL)

    def restart(self) -> None:
        """Start it again on the same data and port, once the killed one is gone."""
        self._dev_influx("start")

    def stop(self) -> None:
        """End it."""
        self._dev_influx("stop")

    def _dev_influx(self, command: str, *options: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX_")}
        arguments = [sys.executable, str(CHECKOUT / "dev" / "influx"), command, *options]
        arguments += ["--data-dir", str(self._data_dir.path)]
        done = subprocess.run(arguments, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalServer]:
    server = MortalServer(tmp_path_factory.mktemp("mortal"))
    yield server
    server.stop()


@pytest.mark.parametrize("name", ["ghosts", "worker"])
@pytest.mark.parametrize("deadline_seconds", [0.0, 60.0])
def test_rows_are_right_when_the_server_is_killed_in_a_request_and_comes_back(
    mortal: MortalServer, name: str, deadline_seconds: float
) -> None:
    """With a deadline the client's own tries get through; without one the run ends and is run again."""
    address = mortal.address
    is_patient = deadline_seconds > 0
    with (
        running_request_proxy(address.url) as proxy,
        connect(address, address.url) as direct,
        connect(address, proxy.url, deadline_seconds=deadline_seconds) as through,
    ):
        new = make_scenes(address, direct)
        for number in range(0 if is_patient else 1, 10, 2):
            scene = new(PATHS[name])
            reborn = Rebirth(mortal)
            proxy.plan(nth_change(number, kill_at(MOMENTS[number % 3], reborn.kill)))
            if is_patient:
                roll(through, scene.spec, SPAN)
            else:
                with contextlib.suppress(InfluxRollupError):
                    roll(through, scene.spec, SPAN)
            if not reborn.was_killed:
                break
            reborn.wait()
            assert proxy.fault_count == 1
            if is_patient:
                assert scene.differences() == [], number
            else:
                assert_rerun_is_right(scene, number)
        assert number > 2


class Rebirth:
    """Kills a server once and starts it again meanwhile."""

    def __init__(self, server: MortalServer) -> None:
        self._server = server
        self._restart = threading.Thread(target=server.restart)
        self.was_killed = False

    def kill(self) -> None:
        """Kill it, and let it come back."""
        self.was_killed = True
        self._server.kill()
        self._restart.start()

    def wait(self) -> None:
        """Wait until it is back."""
        self._restart.join()
