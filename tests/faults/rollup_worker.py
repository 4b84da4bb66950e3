"""A worker process that rolls up, and tells each step before it begins it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.faults.worker_process import WorkerProcess
from tests.scenes.sent_flux import kind_of

if TYPE_CHECKING:
    from tests.faults.scenes import Scene


class Worker(WorkerProcess):
    """A process that rolls a scene up.

    :param url: of the server or a proxy
    :param is_gated: it waits before each step until it may go on, else only before the first
    """

    def __init__(self, scene: Scene, span: Interval, url: str, *, is_gated: bool = False) -> None:
        server = scene.place.server
        super().__init__(work, url, server.org, server.token, scene.spec.as_json(), span.as_json(), is_gated)

    def next_step(self) -> str | None:
        """Wait until it is about to begin a step, and get the step's name; None when it has ended."""
        return self.arrival()


def work(url: str, org: str, token: str, spec: Any, span: Any, is_gated: bool, gate: Connection) -> None:
    """What the process does."""
    settings = ClientSettings(url=url, org=org, token=lambda _: token, gzip=False)
    steps = roll_up(
        RollupSpec.from_json(spec),
        Interval.from_json(span),
        RunInfo(dag_id="dag", task_id="task", run_id="run"),
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
            gate.send(kind_of(step))
            gate.recv()
        answer = yield step
    return None
