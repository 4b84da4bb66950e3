"""Points of files into a bucket, over two connections at once."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.flux.write_points import FluxPoint, write_queries
from airflow_provider_influx_rollup.stores.doubled_points import keys_of, without_doubled
from airflow_provider_influx_rollup.stores.point_layers import batches_together
from airflow_provider_influx_rollup.stores.point_lines import encode_points

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import WritePoints
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

# the server takes 1.5 times as much over two as over one, and no more over four
WRITERS = 2
MAX_WAITING = 4


def act_write_points(store: ArchiveStore, client: InfluxClient, step: WritePoints) -> Fingerprint:
    """Act a ``WritePoints`` out."""
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    tally = Tally()
    sender = _Sender(client, step.bucket)
    with sender.pool:
        try:
            for together in batches_together(store, step.layers, step.interval):
                batches = list(without_doubled(together, keys_of(step.doubled)))
                for batch in batches:
                    tally.take(batch)
                unheld: list[FluxPoint] = []
                for body, count in encode_points(step.measurement, batches, unheld):
                    sender.send(body, count)
                for flux, count in write_queries(step.bucket, unheld):
                    sender.send(flux, count)
            sender.finish()
        except InfluxRollupError as error:
            sender.settle()
            error.written = (
                f"{sender.sent:,} points by earlier requests; by this one: {error.written or 'nothing'}"
            )
            raise
    return tally.fingerprint()


class _Sender:
    """Sends bodies over a few connections, and knows how many lines have arrived."""

    def __init__(self, client: InfluxClient, bucket: str) -> None:
        self.pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="influx-rollup-restore")
        self.sent = 0
        self._client = client
        self._bucket = bucket
        self._running: dict[Future[None], int] = {}

    def send(self, body: bytes | str, count: int) -> None:
        """Hand a body over; waits while too many are on their way.

        :param body: line protocol, or the text of a query that writes
        :raises InfluxError: of an earlier body
        """
        while len(self._running) >= MAX_WAITING:
            self._take_finished()
        future = self.pool.submit(copy_context().run, self._write, body)
        self._running[future] = count

    def _write(self, body: bytes | str) -> None:
        if isinstance(body, str):
            self._client.execute(body)
        else:
            self._client.write_payload(self._bucket, body)

    def finish(self) -> None:
        """Wait for all."""
        while self._running:
            self._take_finished()

    def settle(self) -> None:
        """After an error: begin no other body, and count those that arrive anyway."""
        for future in self._running:
            future.cancel()
        wait(self._running)
        for future, count in self._running.items():
            if not future.cancelled() and future.exception() is None:
                self.sent += count
        self._running.clear()

    def _take_finished(self) -> None:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            count = self._running.pop(future)
            future.result()
            self.sent += count
