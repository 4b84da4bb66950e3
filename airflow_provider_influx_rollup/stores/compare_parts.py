"""Points of a bucket against those of files, and files against files, by their hashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.lifecycle.store_steps import Comparison
from airflow_provider_influx_rollup.stores.point_range import points_inside
from airflow_provider_influx_rollup.stores.read_parts import read_batches
from airflow_provider_influx_rollup.stores.write_parts import write_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.lifecycle.store_steps import CompareParts, MergeParts
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore


def act_compare_parts(store: ArchiveStore, client: InfluxClient, step: CompareParts) -> Comparison:
    """Act a ``CompareParts`` out; 16 bytes of memory for each point of the files."""
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    hasher = Tally()
    rows, keys = _sorted_hashes(
        points_inside(batch, step.interval) for path in step.paths for batch in read_batches(store, path)
    )

    def attempt() -> Comparison:
        equal = changed = unknown = 0
        for table in client.stream_arrow(step.flux):
            for batch in table.to_batches():
                found = hasher.hashes_of(batch)
                is_equal = _isin(found.rows, rows)
                is_changed = ~is_equal & _isin(found.keys, keys)
                equal += int(is_equal.sum())
                changed += int(is_changed.sum())
                unknown += int((~is_equal & ~is_changed).sum())
        return Comparison(equal, len(rows) - equal, changed, unknown)

    return client.retrying(attempt)


def act_merge_parts(
    store: ArchiveStore, _client: InfluxClient, step: MergeParts
) -> tuple[list[Part], Fingerprint]:
    """Act a ``MergeParts`` out; 8 bytes of memory for each point of the newer files."""
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.row_totals import Tally

    replaced = Tally()
    _, keys = _sorted_hashes(batch for path in step.newer for batch in read_batches(store, path))

    def kept() -> Iterator[pa.Table]:
        for path in step.older:
            for batch in read_batches(store, path):
                is_replaced = _isin(replaced.hashes_of(batch).keys, keys)
                replaced.add(pa.Table.from_batches([batch.filter(pa.array(is_replaced))]))
                yield pa.Table.from_batches([batch.filter(pa.array(~is_replaced))])
        for path in step.newer:
            for batch in read_batches(store, path):
                yield pa.Table.from_batches([batch])

    parts = write_parts(store, step.folder, step.name, step.tags, kept())
    return parts, replaced.fingerprint()


def _sorted_hashes(batches: Iterator[pa.RecordBatch]) -> tuple[Any, Any]:
    """Row and key hashes of points, each sorted."""
    import numpy as np

    from airflow_provider_influx_rollup.archive.row_totals import Tally

    hasher = Tally()
    rows: list[Any] = [np.zeros(0, np.uint64)]
    keys: list[Any] = [np.zeros(0, np.uint64)]
    for batch in batches:
        if batch.num_rows:
            found = hasher.hashes_of(batch)
            rows.append(found.rows)
            keys.append(found.keys)
    return np.sort(np.concatenate(rows)), np.sort(np.concatenate(keys))


def _isin(wanted: Any, known: Any) -> Any:
    import numpy as np

    if not len(known):
        return np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[places] == wanted
