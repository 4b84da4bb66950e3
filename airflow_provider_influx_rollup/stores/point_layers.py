"""The points of files where some replace others: each series, field and time once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.stores.point_range import points_inside
from airflow_provider_influx_rollup.stores.read_parts import read_batches

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.lifecycle.store_steps import Layers
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval


def layered_batches(store: ArchiveStore, layers: Layers, interval: Interval) -> Iterator[pa.RecordBatch]:
    """The points of an interval, some at a time, never an empty batch.

    One layer takes no memory; of all but the last, several take 8 bytes for each point.

    :param layers: paths; points of a layer give way to those of an earlier one
    """
    if len(layers) == 1:
        yield from _batches(store, layers[0], interval)
        return
    import numpy as np
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.row_totals import Tally

    hasher = Tally()
    taken: Any = np.zeros(0, np.uint64)
    for paths in layers:
        own = [taken]
        for batch in _batches(store, paths, interval):
            keys = hasher.hashes_of(batch).keys
            is_new = ~is_in(keys, taken)
            own.append(keys[is_new])
            kept = batch.filter(pa.array(is_new))
            if kept.num_rows:
                yield kept
        taken = np.sort(np.concatenate(own))


def is_in(wanted: Any, known: Any) -> Any:
    """Which hashes are among others.

    :param known: sorted
    """
    import numpy as np

    if not len(known):
        return np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[places] == wanted


def _batches(store: ArchiveStore, paths: tuple[str, ...], interval: Interval) -> Iterator[pa.RecordBatch]:
    for path in paths:
        for batch in read_batches(store, path):
            inside = points_inside(batch, interval)
            if inside.num_rows:
                yield inside
