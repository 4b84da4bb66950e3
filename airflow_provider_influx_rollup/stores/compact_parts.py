"""The points of many files into few, as they are; and what some points of files are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.steps.store import Joined
from airflow_provider_influx_rollup.stores.point_layers import layered_batches
from airflow_provider_influx_rollup.stores.read_parts import require_hash
from airflow_provider_influx_rollup.stores.write_parts import ROW_GROUP_ROWS, write_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import FingerprintPoints, JoinParts
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore


def act_join_parts(store: ArchiveStore, _client: InfluxClient, step: JoinParts) -> Joined:
    """Act a ``JoinParts`` out; the memory grows with the number of series, not with that of points."""
    for path, sha256 in {file: None for source in step.sources for file in source.files}:
        require_hash(store, path, sha256)
    found: list[Fingerprint] = []
    series: set[int] = set()
    tables = in_row_groups(_read(store, step, found, series), step.tags)
    parts = write_parts(store, step.folder, step.name, step.tags, tables)
    return Joined(tuple(parts), tuple(found), len(series))


def act_fingerprint_points(
    store: ArchiveStore, _client: InfluxClient, step: FingerprintPoints
) -> Fingerprint:
    """Act a ``FingerprintPoints`` out."""
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    tally = Tally()
    for batch in layered_batches(store, (step.paths,), step.interval):
        tally.take(batch)
    return tally.fingerprint()


def in_row_groups(tables: Iterable[pa.Table], tags: tuple[str, ...]) -> Iterator[pa.Table]:
    """Tables of the size of a row group, of one value type each: small windows would make small groups.

    :param tags: the columns of the files
    """
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.value_kinds import file_table, kind_of

    waiting: dict[str, list[pa.Table]] = {}
    for table in tables:
        own = waiting.setdefault(kind_of(table.schema.field("_value").type), [])
        own.append(file_table(table, tags))
        if sum(map(len, own)) < ROW_GROUP_ROWS:
            continue
        joined = pa.concat_tables(own)
        while len(joined) >= ROW_GROUP_ROWS:
            yield joined.slice(0, ROW_GROUP_ROWS).unify_dictionaries()
            joined = joined.slice(ROW_GROUP_ROWS)
        own[:] = [joined]
    for own in waiting.values():
        yield pa.concat_tables(own).unify_dictionaries()


def _read(
    store: ArchiveStore, step: JoinParts, found: list[Fingerprint], series: set[int]
) -> Iterator[pa.Table]:
    """The points of all sources, in order.

    :param found: gets what was read of each
    :param series: gets the tag sets
    """
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    for source in step.sources:
        tally = Tally()
        for batch in layered_batches(store, (tuple(path for path, _ in source.files),), source.interval):
            tally.take(batch)
            yield pa.Table.from_batches([batch])
        read = tally.fingerprint()
        series.update(read.series)
        found.append(Fingerprint(fields=read.fields, series={}, series_count=read.series_count))
