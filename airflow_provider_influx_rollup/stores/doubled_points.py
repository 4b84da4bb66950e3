"""Points of which a series has several at one time: a bucket keeps them under two orders of the tags, a write makes one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.arrow_numbers import rows_where
from airflow_provider_influx_rollup.steps.store import Doubled
from airflow_provider_influx_rollup.stores.point_layers import is_in, layered_batches

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import FindDoubled
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

MAX_SERIES = 3


def act_find_doubled(store: ArchiveStore, _client: InfluxClient, step: FindDoubled) -> Doubled:
    """Act a ``FindDoubled`` out; 8 bytes of memory for each point."""
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    hasher = Tally()
    every = [hasher.hashes_of(batch).keys for batch in layered_batches(store, step.layers, step.interval)]
    keys, points = repeated(every)
    if not points:
        return Doubled()
    batches = layered_batches(store, step.layers, step.interval)
    return Doubled(points, keys.tobytes(), series_of(batches, keys))


def repeated(keys: list[Any]) -> tuple[Any, int]:
    """The hashes that are there more than once, sorted, and how often they are there together."""
    import numpy as np

    found = np.sort(np.concatenate([np.zeros(0, np.uint64), *keys]))
    is_again = found[1:] == found[:-1]
    twice = np.unique(found[1:][is_again])
    return twice, int(is_again.sum()) + len(twice)


def series_of(batches: Iterable[pa.RecordBatch], keys: Any) -> tuple[str, ...]:
    """The series of some points, as people write them; the first few.

    :param keys: key hashes, sorted
    """
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    hasher = Tally()
    found: dict[str, None] = {}
    for batch in batches:
        known = rows_where(batch, is_in(hasher.hashes_of(batch).keys, keys))
        tags = known.drop_columns(["_time", "_field", "_value"]).to_pylist()
        for row in tags:
            found.setdefault(", ".join(f"{key}={text}" for key, text in sorted(row.items()) if text))
            if len(found) >= MAX_SERIES:
                return tuple(found)
    return tuple(found)


def keys_of(doubled: bytes) -> Any:
    """The hashes of ``Doubled.keys``."""
    import numpy as np

    return np.frombuffer(doubled, np.uint64)


def without_doubled(batches: list[pa.RecordBatch], keys: Any) -> Iterator[pa.RecordBatch]:
    """The other points; never an empty batch.

    :param keys: key hashes, sorted
    """
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    hasher = Tally()
    for batch in batches:
        kept = rows_where(batch, ~is_in(hasher.hashes_of(batch).keys, keys)) if len(keys) else batch
        if kept.num_rows:
            yield kept
