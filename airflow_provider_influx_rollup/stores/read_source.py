"""Totals of the points that a query returns."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.stores.doubled_points import repeated, series_of

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.flux.query import PointsQuery
    from airflow_provider_influx_rollup.steps.store import FingerprintSource
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore


def act_fingerprint_source(
    _store: ArchiveStore, client: InfluxClient, step: FingerprintSource
) -> Fingerprint:
    """Act a ``FingerprintSource`` out."""
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    def attempt() -> Fingerprint:
        tally = Tally()
        keys = []
        with closing(stream_points(client, step.points)) as tables:
            for batch in _filled(tables):
                found = tally.take(batch)
                if step.finds_doubled:
                    keys.append(found.keys)
        twice, points = repeated(keys)
        if not points:
            return tally.fingerprint()
        with closing(stream_points(client, step.points)) as tables:
            return replace(
                tally.fingerprint(), doubled=points, doubled_series=series_of(_filled(tables), twice)
            )

    return client.retrying(attempt)


def stream_points(client: InfluxClient, queries: Iterable[PointsQuery]) -> Generator[pa.Table]:
    """The answers of queries, one after the other; an answer that is not read to its end gives its connection back."""
    for query in queries:
        with closing(client.stream_arrow(query.flux())) as tables:
            yield from tables


def _filled(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    return (batch for table in tables for batch in table.to_batches() if batch.num_rows)
