"""Points into Parquet files, one for each value type, in flat memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.exceptions import SourceChanging, StoreError
from airflow_provider_influx_rollup.stores.read_source import stream_points

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import WriteParts
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

ROW_GROUP_ROWS = 100_000
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 1
NOT_TAGS = ("_time", "_field", "_value")


class _Hashing:
    """A file that hashes what is written; Parquet is written from the front to the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write bytes."""
        view = memoryview(data)
        self._hash.update(view)
        self._file.write(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """Totals of what was written."""
        return self.size

    def flush(self) -> None:
        """Nothing: the file is whole when it is closed."""

    def close(self) -> None:
        """Nothing: whoever opened it closes it."""

    def hexdigest(self) -> str:
        """SHA-256 of what was written so far, in hexadecimal."""
        return self._hash.hexdigest()


@dataclass(kw_only=True)
class _Open:
    """A file that is being written."""

    name: str
    file: _Hashing
    writer: pq.ParquetWriter
    rows: int = 0
    first_ns: int = 2**63 - 1
    last_ns: int = -(2**63)

    def add(self, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        bounds = pc.min_max(table["_time"].cast(pa.int64())).as_py()
        self.rows += table.num_rows
        self.first_ns = min(self.first_ns, bounds["min"])
        self.last_ns = max(self.last_ns, bounds["max"])

    def part(self, kind: str) -> Part:
        return Part(
            name=self.name,
            kind=kind,
            rows=self.rows,
            bytes=self.file.size,
            sha256=self.file.hexdigest(),
            first_ns=self.first_ns,
            last_ns=self.last_ns,
        )


class PartWriter:
    """Files of one name, one for each value type that comes.

    :param folder: relative to the store
    :param name: begin of the files' names
    :param tags: tag keys, the columns of the files
    """

    def __init__(self, store: ArchiveStore, folder: str, name: str, tags: Sequence[str]) -> None:
        self._store = store
        self._folder = folder
        self._name = name
        self._tags = tuple(tags)
        self._open: dict[str, _Open] = {}
        self._stack = ExitStack()
        self.parts: list[Part] = []

    @contextmanager
    def writing(self) -> Iterator[PartWriter]:
        """The files are whole, and ``parts`` known, when the block ends without an error; they are gone otherwise."""
        try:
            with self._stack:
                yield self
                for one in self._open.values():
                    one.writer.close()
        except BaseException:
            # nothing refers to them; what cannot be removed either is removed by the run that publishes
            with suppress(StoreError):
                self._store.remove(f"{self._folder}/{one.name}" for one in self._open.values())
            raise
        finally:
            for one in self._open.values():
                # or its destructor would write to a file that is closed
                one.writer.is_open = False
        self.parts = [one.part(kind) for kind, one in sorted(self._open.items())]

    def add(self, table: pa.Table) -> None:
        """Take some points of one value type.

        :raises SourceChanging: when they have a tag that was not there before
        """
        from airflow_provider_influx_rollup.archive.value_kinds import (
            file_table,
            kind_of,
            without_unused_texts,
        )

        if not table.num_rows:
            return
        new = [name for name in table.column_names if name not in (*NOT_TAGS, *self._tags)]
        if new:
            what = f"points with the tag {new[0]!r} came while the window was read"
            raise SourceChanging(what, written="no manifest", fix="run it again")
        kind = kind_of(table.schema.field("_value").type)
        if kind not in self._open:
            self._open[kind] = self._begin(kind)
        self._open[kind].add(without_unused_texts(file_table(table, self._tags)))

    def _begin(self, kind: str) -> _Open:
        import pyarrow.parquet as pq

        from airflow_provider_influx_rollup.archive.value_kinds import file_schema

        name = f"{kind}-{self._name}.parquet"
        file = _Hashing(self._stack.enter_context(self._store.writing(f"{self._folder}/{name}")))
        writer = pq.ParquetWriter(
            file,
            file_schema(kind, self._tags),
            compression=COMPRESSION,
            compression_level=COMPRESSION_LEVEL,
            use_dictionary=["_field", *self._tags],
            column_encoding={"_time": "DELTA_BINARY_PACKED"},
        )
        return _Open(name=name, file=file, writer=writer)


def write_parts(
    store: ArchiveStore, folder: str, name: str, tags: Sequence[str], tables: Iterable[pa.Table]
) -> list[Part]:
    """Write all points of some tables.

    :return: the files, none for no points
    """
    made = PartWriter(store, folder, name, tags)
    with made.writing():
        for table in tables:
            made.add(table)
    return made.parts


def act_write_parts(store: ArchiveStore, client: InfluxClient, step: WriteParts) -> list[Part]:
    """Act a ``WriteParts`` out; a try that was cut is begun again, over the same files."""

    def attempt() -> list[Part]:
        with closing(stream_points(client, step.points)) as tables:
            return write_parts(store, step.folder, step.name, step.tags, tables)

    return client.retrying(attempt)
