"""Points of a file into a bucket, over two connections at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.lifecycle.point_lines import bodies_of, encode_points
from airflow_provider_influx_rollup.stores.point_range import points_inside
from airflow_provider_influx_rollup.stores.read_parts import read_batches

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.lifecycle.store_steps import WritePoints
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

# the server takes 1.5 times as much over two as over one, and no more over four
WRITERS = 2
MOST_WAITING = 4


def act_write_points(store: ArchiveStore, client: InfluxClient, step: WritePoints) -> int:
    """Act a ``WritePoints`` out."""
    sent = 0
    running: dict[Future[None], int] = {}
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="influx-rollup-restore") as writers:
        for body, count in _bodies(store, step):
            future = writers.submit(copy_context().run, client.write_payload, step.bucket, body)
            running[future] = count
            if len(running) >= MOST_WAITING:
                sent += _finished(running)
        while running:
            sent += _finished(running)
    return sent


def _bodies(store: ArchiveStore, step: WritePoints) -> Iterator[tuple[bytes, int]]:
    for batch in read_batches(store, step.path):
        inside = points_inside(batch, step.interval)
        if inside.num_rows:
            yield from bodies_of(encode_points(step.measurement, inside))


def _finished(running: dict[Future[None], int]) -> int:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    counts = [running.pop(future) for future in done]
    for future in done:
        future.result()
    return sum(counts)
