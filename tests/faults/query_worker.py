"""A worker process that asks one query after the other, as a task of Airflow does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import InfluxError
from tests.conftest import InfluxServer
from tests.faults.worker_process import WorkerProcess

FLUX = 'import "array"\narray.from(rows: [{v: 1}])'


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker did.

    :param errors: what its calls raised
    """

    queries: int
    errors: tuple[str, ...]


class QueryWorker(WorkerProcess):
    """A process that asks until a time.

    :param url: of the server or a proxy
    :param flux: the query; its row has the value 1
    """

    def __init__(self, server: InfluxServer, url: str, flux: str = FLUX) -> None:
        super().__init__(_ask, url, server.org, server.token, flux)

    def ask_until(self, time_then: float) -> None:
        """Let it begin.

        :param time_then: of the monotonic clock
        """
        self._gate.send(time_then)

    def done(self) -> Done:
        """Wait for its end."""
        done: Done = self._gate.recv()
        self.wait()
        return done


def _ask(url: str, org: str, token: str, flux: str, gate: Connection) -> None:
    gate.send("here")
    until = gate.recv()
    settings = ClientSettings(url=url, org=org, token=lambda _: token, gzip=False)
    queries, errors = 0, []
    with InfluxClient(settings) as client:
        while time.monotonic() < until:
            try:
                (row,) = client.query(flux)
            except InfluxError as error:
                errors.append(str(error))
                continue
            if row["v"] != 1:
                errors.append(f"a wrong answer: {row}")
            queries += 1
    gate.send(Done(queries, tuple(errors)))
