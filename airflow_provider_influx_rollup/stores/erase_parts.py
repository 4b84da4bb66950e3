"""The points of files that have some tags: counted, or left out of files that are written again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.steps.store import Tallied
from airflow_provider_influx_rollup.stores.read_parts import BATCH_ROWS, parquet_file, read_batches
from airflow_provider_influx_rollup.stores.write_parts import NOT_TAGS, write_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import EraseParts, TallyMatching
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval

Tags = Sequence[tuple[str, str]]


def act_tally_matching(store: ArchiveStore, _client: InfluxClient, step: TallyMatching) -> Tallied | None:
    """Act a ``TallyMatching`` out, in flat memory; a file without one of the tag keys is not read."""
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.row_totals import Tally

    tally = Tally()
    named: set[str] = set()
    in_rows: set[str] = set()
    try:
        with parquet_file(store, step.path) as file:
            columns = set(file.schema_arrow.names) - set(NOT_TAGS)
            if not {key for key, _ in step.tags} <= columns:
                return Tallied(tally.fingerprint())
            for batch in file.iter_batches(BATCH_ROWS):
                found = batch.filter(_mask(batch, step.tags, step.interval))
                tally.add(pa.Table.from_batches([found]))
                named.update(key for key, value in step.tags if _is_named(batch.column(key), value))
                in_rows.update(key for key, value in step.tags if _is_in_rows(batch.column(key), value))
    except (ArchiveMismatch, ArchiveMissing):
        # a file that is being written, or was damaged: its contents are unknown
        return None
    return Tallied(tally.fingerprint(), is_left_over=bool(named - in_rows))


def act_erase_parts(
    store: ArchiveStore, _client: InfluxClient, step: EraseParts
) -> tuple[list[Part], Fingerprint]:
    """Act an ``EraseParts`` out, in flat memory."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_influx_rollup.archive.row_totals import Tally

    erased = Tally()

    def kept() -> Iterator[pa.Table]:
        for path in step.paths:
            for batch in read_batches(store, path):
                mask = _mask(batch, step.tags, step.interval)
                erased.add(pa.Table.from_batches([batch.filter(mask)]))
                yield pa.Table.from_batches([batch.filter(pc.invert(mask))])

    parts = write_parts(store, step.folder, step.name, step.keys, kept())
    return parts, erased.fingerprint()


def _is_named(column: pa.Array, value: str) -> bool:
    """Whether a text is in a dictionary, of a row or not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return False
    return bool(pc.index(column.dictionary, value).as_py() >= 0)


def _is_in_rows(column: pa.Array, value: str) -> bool:
    """Whether a row has a text."""
    import pyarrow.compute as pc

    return bool(pc.any(_equals(column, value)).as_py())


def _mask(batch: pa.RecordBatch, tags: Tags, interval: Interval) -> pa.BooleanArray:
    """Mask of the points that have all the tags and lie in the interval."""
    import pyarrow as pa
    import pyarrow.compute as pc

    times = batch.column("_time").cast(pa.int64())
    mask = pc.and_(pc.greater_equal(times, interval.start_ns), pc.less(times, interval.stop_ns))
    for key, value in tags:
        if key not in batch.schema.names or key in NOT_TAGS:
            return pa.array([False] * batch.num_rows, pa.bool_())
        mask = pc.and_(mask, _equals(batch.column(key), value))
    return mask


def _equals(column: pa.Array, value: str) -> pa.BooleanArray:
    """Compared by the dictionary's texts, which are few; an absent tag is not equal."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return pc.fill_null(pc.equal(column, value), fill_value=False)
    wanted = [number for number, text in enumerate(column.dictionary.to_pylist()) if text == value]
    found = pc.is_in(column.indices, value_set=pa.array(wanted, column.indices.type))
    return pc.and_(found, pc.is_valid(column.indices))
