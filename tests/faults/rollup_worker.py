"""A worker process that rolls up, and tells each step before it begins it."""

from __future__ import annotations

import itertools
import os
import signal
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec, RunInfo
from airflow_provider_influx_rollup.lifecycle.steps import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from tests.faults.scenes import Scene

# a server process that has imported all this forks the workers, which then start at once
PROCESSES = get_context("forkserver")
PRELOADED = [
    __name__,
    "airflow_provider_influx_rollup.archive.annotated_arrow",
    "influxdb_client.client.influxdb_client",
]


class Worker:
    """A process that rolls a scene up.

    :param url: of the server or a proxy
    :param is_gated: it waits before each step until it may go on, else only before the first
    """

    def __init__(self, scene: Scene, span: Interval, url: str, *, is_gated: bool = False) -> None:
        PROCESSES.set_forkserver_preload(PRELOADED)
        server = scene.place.server
        self._gate, theirs = PROCESSES.Pipe()
        values = (url, server.org, server.token, scene.spec.as_json(), span.as_json(), theirs, is_gated)
        self._process = PROCESSES.Process(target=work, args=values, daemon=True)
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        """Kill it with SIGKILL, from any thread."""
        if self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGKILL)

    def wait(self) -> int | None:
        """Wait until it ends; the exit status, -9 when it was killed."""
        self._process.join(60)
        return self._process.exitcode

    def next_step(self) -> str | None:
        """Wait until it is about to begin a step, and get the step's name; None when it has ended."""
        try:
            name: str = self._gate.recv()
        except EOFError:
            return None
        return name

    def go_on(self) -> None:
        """Let it begin the step."""
        self._gate.send(None)


def work(url: str, org: str, token: str, spec: Any, span: Any, gate: Connection, is_gated: bool) -> None:
    """What the process does."""
    settings = ClientSettings(url=url, org=org, token=lambda _: token, gzip=False)
    steps = roll_up(
        RollupSpec.from_json(spec),
        Interval.from_json(span),
        RunInfo("dag", "task", "run"),
        lambda: datetime.now(UTC),
    )
    with InfluxClient(settings) as client:
        drive(gated(steps, gate, only_first=not is_gated), client, lambda _: None)


def gated(steps: Steps[Any], gate: Connection, *, only_first: bool) -> Steps[Any]:
    """The same steps, each told before it begins, and begun when it may."""
    answer = None
    for number in itertools.count():
        try:
            step = steps.send(answer)
        except StopIteration as end:
            return end.value
        if number == 0 or not only_first:
            gate.send(type(step).__name__)
            gate.recv()
        answer = yield step
    return None
