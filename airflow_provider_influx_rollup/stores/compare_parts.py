"""Points of a bucket against those of files, and files against files, by their hashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.arrow_numbers import rows_where
from airflow_provider_influx_rollup.steps.store import Comparison
from airflow_provider_influx_rollup.stores.doubled_points import keys_of
from airflow_provider_influx_rollup.stores.point_layers import is_in, layered_batches
from airflow_provider_influx_rollup.stores.read_parts import read_batches
from airflow_provider_influx_rollup.stores.read_source import stream_points
from airflow_provider_influx_rollup.stores.write_parts import write_parts
from airflow_provider_influx_rollup.windows.interval import format_instant, from_ns

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
    from airflow_provider_influx_rollup.archive.row_totals import RowHashes, Tally
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import CompareParts, MergeParts
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval

MAX_EXAMPLES = 5
SECOND_NS = 10**9
MAX_VALUE_CHARACTERS = 60


def act_compare_parts(store: ArchiveStore, client: InfluxClient, step: CompareParts) -> Comparison:
    """Act a ``CompareParts`` out; 16 bytes of memory for each point of the files."""
    from airflow_provider_influx_rollup.archive.row_totals import Tally

    tally = Tally()
    rows, keys = _sorted_hashes(layered_batches(store, step.layers, step.interval), tally)
    archived = tally.fingerprint()

    def attempt() -> Comparison:
        found = _MatchedPoints(rows, keys, archived, keys_of(step.doubled))
        with closing(stream_points(client, step.points)) as tables:
            for table in tables:
                for batch in table.to_batches():
                    if batch.num_rows:
                        found.take(batch)
        return found.comparison()

    return client.retrying(attempt)


class _MatchedPoints:
    """The bucket's points that the files hold.

    :param rows: row hashes of the files' points, sorted
    :param keys: their key hashes, sorted
    :param archived: their fingerprint
    :param doubled: key hashes of those that cannot be written, sorted
    """

    def __init__(self, rows: Any, keys: Any, archived: Fingerprint, doubled: Any) -> None:
        from airflow_provider_influx_rollup.archive.row_totals import Tally

        self._rows, self._keys, self._archived, self._doubled_keys = rows, keys, archived, doubled
        self._hasher, self._kept = Tally(), Tally()
        self._equal = self._changed = self._unknown_count = self._doubled = 0
        self._written = len(rows) - int(is_in(keys, doubled).sum())
        self._examples: list[str] = []

    def take(self, batch: pa.RecordBatch) -> None:
        """Take some points of the bucket."""
        found: RowHashes = self._hasher.hashes_of(batch)
        is_equal = is_in(found.rows, self._rows)
        is_changed = ~is_equal & is_in(found.keys, self._keys)
        is_unknown = ~is_equal & ~is_changed
        self._equal += int(is_equal.sum())
        self._changed += int(is_changed.sum())
        self._unknown_count += int(is_unknown.sum())
        if is_changed.any():
            self._note("another value", rows_where(batch, is_changed))
        if is_unknown.any():
            self._note("not in the archive", rows_where(batch, is_unknown))
        is_doubled = is_in(found.keys, self._doubled_keys)
        self._doubled += int((is_equal & is_doubled).sum())
        is_kept = is_unknown | is_doubled
        if is_kept.any():
            self._kept.take(rows_where(batch, is_kept))

    def comparison(self) -> Comparison:
        """All points so far."""
        return Comparison(
            equal=self._equal,
            missing=self._written - (self._equal - self._doubled),
            changed=self._changed,
            unknown=self._unknown_count,
            archived=self._archived.total,
            series=self._archived.series_count,
            kept=self._kept.fingerprint(),
            examples=tuple(self._examples),
            doubled=self._doubled,
        )

    def _note(self, what: str, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        few = batch.slice(0, MAX_EXAMPLES - len(self._examples))
        times = few.column("_time").cast(pa.int64()).to_pylist()
        rows = few.drop_columns(["_time"]).to_pylist()
        self._examples += [
            f"{_point_text(row, time)} ({what})" for row, time in zip(rows, times, strict=True)
        ]


def _point_text(row: dict[str, Any], time_ns: int) -> str:
    tags = ", ".join(f"{key}={text}" for key, text in row.items() if text and key not in ("_field", "_value"))
    value = repr(row["_value"])[:MAX_VALUE_CHARACTERS]
    second = format_instant(from_ns(time_ns // SECOND_NS * SECOND_NS)).removesuffix("Z")
    return f"{row['_field']}={value} of {{{tags}}} at {second}.{time_ns % SECOND_NS:09d}Z"


def act_merge_parts(
    store: ArchiveStore, _client: InfluxClient, step: MergeParts
) -> tuple[list[Part], Fingerprint]:
    """Act a ``MergeParts`` out; 8 bytes of memory for each point of the newer files."""
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.row_totals import Tally

    replaced = Tally()
    newer = (batch for path in step.newer for batch in read_batches(store, path))
    _, keys = _sorted_hashes(newer, Tally())

    def kept() -> Iterator[pa.Table]:
        for batch in _inside(store, step.older, step.interval):
            is_replaced = is_in(replaced.hashes_of(batch).keys, keys)
            replaced.add(pa.Table.from_batches([rows_where(batch, is_replaced)]))
            yield pa.Table.from_batches([rows_where(batch, ~is_replaced)])
        for path in step.newer:
            for batch in read_batches(store, path):
                yield pa.Table.from_batches([batch])

    parts = write_parts(store, step.folder, step.name, step.tags, kept())
    return parts, replaced.fingerprint()


def _inside(
    store: ArchiveStore, paths: tuple[str, ...], interval: Interval | None
) -> Iterator[pa.RecordBatch]:
    """The points of files, or those of an interval."""
    if interval is not None:
        yield from layered_batches(store, (paths,), interval)
        return
    for path in paths:
        yield from read_batches(store, path)


def _sorted_hashes(batches: Iterable[pa.RecordBatch], tally: Tally) -> tuple[Any, Any]:
    """Row and key hashes of points, each sorted.

    :param tally: takes the points too
    """
    import numpy as np

    rows: list[Any] = [np.zeros(0, np.uint64)]
    keys: list[Any] = [np.zeros(0, np.uint64)]
    for batch in batches:
        if batch.num_rows:
            found = tally.take(batch)
            rows.append(found.rows)
            keys.append(found.keys)
    return np.sort(np.concatenate(rows)), np.sort(np.concatenate(keys))
