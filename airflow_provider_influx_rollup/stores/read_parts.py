"""Parquet files back into points, and what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.archive.paths import window_of_path
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import FingerprintPart
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval

BATCH_ROWS = 100_000
HASH_BYTES = 1 << 20
FIX_DAMAGED = "bring the file back from a copy; the points of its window must not be deleted"


@contextmanager
def parquet_file(store: ArchiveStore, path: str) -> Iterator[pq.ParquetFile]:
    """Open a file for reading; its texts come as dictionaries.

    :raises ArchiveMismatch: when it is no Parquet file of an archive
    :raises ArchiveMissing: when it is gone
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with store.reading(path) as file:
        try:
            names = pq.read_schema(file).names
            file.seek(0)
            keys = [name for name in names if name not in ("_time", "_value")]
            yield pq.ParquetFile(file, read_dictionary=keys, pre_buffer=False)
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            # what the store says has a number or a class of its own; what Arrow says of damaged bytes has neither
            if isinstance(error, OSError) and (error.errno is not None or type(error) is not OSError):
                raise
            store.require(path)  # an object store may have opened what was gone before it was read
            what = f"{store.shown_path(path)} cannot be read: {str(error)[:200]}"
            raise ArchiveMismatch(
                what, window=window_of_path(path), written="nothing", fix=FIX_DAMAGED
            ) from error


def read_batches(
    store: ArchiveStore, path: str, interval: Interval | None = None
) -> Iterator[pa.RecordBatch]:
    """The points of a file, some at a time.

    :param interval: only row groups that may have points in it; None: all
    """
    with parquet_file(store, path) as file:
        groups = None if interval is None else _groups_reaching(file, interval)
        yield from file.iter_batches(BATCH_ROWS, row_groups=groups)


def _groups_reaching(file: pq.ParquetFile, interval: Interval) -> list[int]:
    """The row groups that may have points in an interval, by their least and greatest time."""
    found = []
    for number in range(file.num_row_groups):
        times = file.metadata.row_group(number).column(0).statistics
        if (
            times is None
            or not times.has_min_max
            or (times.min_raw < interval.stop_ns and times.max_raw >= interval.start_ns)
        ):
            found.append(number)
    return found


def require_hash(store: ArchiveStore, path: str, sha256: str) -> int:
    """Make sure that a file is the one that was written.

    :param sha256: of the whole file
    :return: its bytes
    :raises ArchiveMismatch: when it is another one
    """
    with store.reading(path) as raw:
        size, found = _hash_of(raw)
    if found != sha256:
        what = (
            f"{store.shown_path(path)} is not the file that was written: its SHA-256 is {found}, not {sha256}"
        )
        raise ArchiveMismatch(what, window=window_of_path(path), written="nothing", fix=FIX_DAMAGED)
    return size


def fingerprint_part(store: ArchiveStore, path: str, sha256: str) -> tuple[Part, Fingerprint]:
    """Describe a file from its bytes alone.

    :param sha256: of the whole file; one with another is not looked into
    :raises ArchiveMismatch: when it is another file, or cannot be read
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_influx_rollup.archive.row_totals import Tally
    from airflow_provider_influx_rollup.archive.value_kinds import kind_of

    size = require_hash(store, path, sha256)
    tally = Tally()
    rows, first_ns, last_ns = 0, 2**63 - 1, -(2**63)
    kind = ""
    with parquet_file(store, path) as file:
        kind = kind_of(file.schema_arrow.field("_value").type)
        for batch in file.iter_batches(BATCH_ROWS):
            tally.add(pa.Table.from_batches([batch]))
            bounds = pc.min_max(batch.column("_time").cast(pa.int64())).as_py()
            rows += batch.num_rows
            first_ns, last_ns = min(first_ns, bounds["min"]), max(last_ns, bounds["max"])
    name = path.rpartition("/")[2]
    return Part(
        name=name, kind=kind, rows=rows, bytes=size, sha256=sha256, first_ns=first_ns, last_ns=last_ns
    ), tally.fingerprint()


def act_fingerprint_part(
    store: ArchiveStore, _client: InfluxClient, step: FingerprintPart
) -> tuple[Part, Fingerprint]:
    """Act a ``FingerprintPart`` out."""
    return fingerprint_part(store, step.path, step.sha256)


def _hash_of(file: IO[bytes]) -> tuple[int, str]:
    found = hashlib.sha256()
    size = 0
    while piece := file.read(HASH_BYTES):
        found.update(piece)
        size += len(piece)
    return size, found.hexdigest()
