"""A server of a test's own: with settings that others must not have, or that may not take the machine with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from dev.influx_server.processes import identity
from tests.conftest import InfluxServer

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT = "2G"
MAX_BYTES = 3 * 2**29


@contextmanager
def own_server(base: Path, config: str = "", *, memory: str | None = None) -> Iterator[InfluxServer]:
    """Start one, and stop it after.

    :param base: an empty folder for its data
    :param config: of influxd, as YAML
    :param memory: hold it to so much, where this user may
    """
    (base / "config.yaml").write_text(config)
    own = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX_")}

    def dev_influx(*words: str, check: bool = True) -> str:
        command = [sys.executable, str(CHECKOUT / "dev/influx"), *words, "--data-dir", str(base / "data")]
        done = subprocess.run(
            command, cwd=base, env=own, capture_output=True, text=True, check=check, timeout=90
        )
        return done.stdout

    limit = ["--memory", memory] if memory else []
    told = dev_influx("start", "--port", "0", *limit, check=False) or dev_influx("start", "--port", "0")
    values = dict(line.split("=", 1) for line in told.splitlines())
    try:
        yield InfluxServer(values["INFLUX_URL"], values["INFLUX_ORG"], values["INFLUX_TOKEN"])
    finally:
        dev_influx("stop")


def kill_and_start(folder: Path) -> None:
    """Kill a server, and start it on what it has left.

    :param folder: with its data
    """
    state = json.loads((folder / "server.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)
    # or what is starting takes it for a server that runs already
    while identity(state["pid"]) == state["identity"]:
        time.sleep(0.01)
    command = [sys.executable, str(CHECKOUT / "dev/influx"), "start", "--port", str(state["port"])]
    own = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX_")}
    subprocess.run([*command, "--data-dir", str(folder)], env=own, check=True, capture_output=True)


@contextmanager
def guarded_server(base: Path) -> Iterator[InfluxServer]:
    """A server that a query may make run away: it ends before the machine does, and the test fails."""
    with own_server(base, memory=LIMIT) as server, _watched(base / "data" / "server.json"):
        yield server


@contextmanager
def _watched(state: Path) -> Iterator[None]:
    """Kill the server when it takes too much, also where no control group can be made."""
    pid = json.loads(state.read_text())["pid"]
    if not pid:
        yield  # a container, which Docker limits
        return
    process, ended, highest = psutil.Process(pid), threading.Event(), [0]

    def watch() -> None:
        while not ended.wait(0.1):
            try:
                highest[0] = max(highest[0], process.memory_info().rss)
            except psutil.NoSuchProcess:
                return
            if highest[0] > MAX_BYTES:
                process.kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert highest[0] <= MAX_BYTES, f"the server took {highest[0] / 2**20:.0f} MB"
    assert process.is_running(), "the server ended"
