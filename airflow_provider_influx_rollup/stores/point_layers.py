"""The points of files where some replace others: each series, field and time once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.arrow_numbers import rows_where
from airflow_provider_influx_rollup.stores.point_range import points_inside
from airflow_provider_influx_rollup.stores.read_parts import BATCH_ROWS, parquet_file, read_batches

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from airflow_provider_influx_rollup.steps.store import Layers
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval


def layered_batches(store: ArchiveStore, layers: Layers, interval: Interval) -> Iterator[pa.RecordBatch]:
    """The points of an interval, some at a time, never an empty batch.

    One layer takes no memory; of all but the last, several take 8 bytes for each point.

    :param layers: paths; points of a layer give way to those of an earlier one
    """
    for batches in _layered(layers, lambda paths: ([one] for one in _batches(store, paths, interval))):
        yield from batches


def batches_together(
    store: ArchiveStore, layers: Layers, interval: Interval
) -> Iterator[list[pa.RecordBatch]]:
    """The same; files of one span of time are read side by side, so that the fields of a series come together."""
    return _layered(layers, lambda paths: _side_by_side(store, paths, interval))


def _layered(
    layers: Layers, read: Callable[[tuple[str, ...]], Iterator[list[pa.RecordBatch]]]
) -> Iterator[list[pa.RecordBatch]]:
    if len(layers) == 1:
        yield from read(layers[0])
        return
    import numpy as np

    from airflow_provider_influx_rollup.archive.row_totals import Tally

    hasher = Tally()
    taken: Any = np.zeros(0, np.uint64)
    for paths in layers:
        own = [taken]
        for batches in read(paths):
            kept = []
            for batch in batches:
                keys = hasher.hashes_of(batch).keys
                is_new = ~is_in(keys, taken)
                own.append(keys[is_new])
                kept.append(rows_where(batch, is_new))
            if any(batch.num_rows for batch in kept):
                yield [batch for batch in kept if batch.num_rows]
        taken = np.sort(np.concatenate(own))


def is_in(wanted: Any, known: Any) -> Any:
    """Mask of the hashes that occur among others.

    :param known: sorted
    """
    import numpy as np

    if not len(known):
        return np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[places] == wanted


def _batches(store: ArchiveStore, paths: tuple[str, ...], interval: Interval) -> Iterator[pa.RecordBatch]:
    for path in paths:
        for batch in read_batches(store, path, interval):
            inside = points_inside(batch, interval)
            if inside.num_rows:
                yield inside


def _side_by_side(
    store: ArchiveStore, paths: tuple[str, ...], interval: Interval
) -> Iterator[list[pa.RecordBatch]]:
    """Number of rows to read of each file at a time, so that the files end together."""
    spans: dict[str, list[str]] = {}
    for path in paths:
        # the names of files of one span differ in the kind of their values only
        spans.setdefault(path.rpartition("/")[2].partition("-")[2], []).append(path)
    for together in spans.values():
        with ExitStack() as stack:
            files = [stack.enter_context(parquet_file(store, path)) for path in together]
            rows = [file.metadata.num_rows for file in files]
            reads = max(1, -(-max(rows) // BATCH_ROWS))
            portions = [
                _portions(file, -(-count // reads)) for file, count in zip(files, rows, strict=True) if count
            ]
            for some in zip_longest(*portions, fillvalue=()):
                inside = [points_inside(batch, interval) for portion in some for batch in portion]
                if any(batch.num_rows for batch in inside):
                    yield [batch for batch in inside if batch.num_rows]


def _portions(file: pq.ParquetFile, rows: int) -> Iterator[list[pa.RecordBatch]]:
    """So many rows at a time, each as one batch or more: a reader ends its batches where it likes."""
    portion: list[pa.RecordBatch] = []
    lacking = rows
    for batch in file.iter_batches(rows):
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, lacking)
            portion.append(part)
            start += part.num_rows
            lacking -= part.num_rows
            if not lacking:
                yield portion
                portion, lacking = [], rows
    if portion:
        yield portion
