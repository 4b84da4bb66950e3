"""Points of one value type as flat arrays, with their tag sets apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.arrow_numbers import numbers_of

if TYPE_CHECKING:
    import pyarrow as pa

Codes = NDArray[np.int64]
MAX_CODES = 1 << 20
NOT_TAGS = frozenset({"_time", "_value", "_field", "_measurement", "_start", "_stop"})
TagSet = tuple[tuple[str, str], ...]
Label = TypeVar("Label", str, TagSet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Points of one value type.

    :param tag_sets: the distinct tag sets, sorted by key inside and as a list
    :param series: index into ``tag_sets`` of each point
    :param fields: the distinct field names, sorted
    :param field: index into ``fields`` of each point
    :param time_ns: nanoseconds since the epoch of each point
    :param values: floats, integers, booleans, or strings as objects
    :param start_ns: start of each point's window in nanoseconds, where the answer had ``_start``
    :param result: name of the yield the points came from
    """

    tag_sets: list[TagSet]
    series: Codes
    fields: list[str]
    field: Codes
    time_ns: Codes
    values: NDArray[Any]
    start_ns: Codes | None = None
    result: str = ""

    def __len__(self) -> int:
        return len(self.time_ns)

    def of_field(self, name: str) -> Frame:
        """Only the points of one field."""
        if self.fields == [name]:
            return self
        return self.where(self.field == (self.fields.index(name) if name in self.fields else -1))

    def where(self, keep: NDArray[np.bool_]) -> Frame:
        """Only the points that a mask keeps."""
        start_ns = None if self.start_ns is None else self.start_ns[keep]
        return Frame(
            tag_sets=self.tag_sets,
            series=self.series[keep],
            fields=self.fields,
            field=self.field[keep],
            time_ns=self.time_ns[keep],
            values=self.values[keep],
            start_ns=start_ns,
            result=self.result,
        )


def concat_frames(frames: Sequence[Frame]) -> Frame:
    """One frame of several, of one value type; the result name and ``_start`` survive when all have them.

    :param frames: at least one
    """
    if len(frames) == 1:
        return frames[0]
    tag_sets, series = _renumber([frame.tag_sets for frame in frames], [frame.series for frame in frames])
    fields, field = _renumber([frame.fields for frame in frames], [frame.field for frame in frames])
    starts = [frame.start_ns for frame in frames if frame.start_ns is not None]
    return Frame(
        tag_sets=tag_sets,
        series=series,
        fields=fields,
        field=field,
        time_ns=np.concatenate([frame.time_ns for frame in frames]),
        values=np.concatenate([frame.values for frame in frames]),
        start_ns=np.concatenate(starts) if len(starts) == len(frames) else None,
        result=frames[0].result,
    )


def frames_by_field(frames: Iterable[Frame]) -> dict[str, Frame]:
    """The points of each field; they may come in several answers, and go together."""
    found: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        for name in frame.fields:
            found[name].append(frame.of_field(name))
    return {name: concat_frames(some) for name, some in found.items()}


def _renumber(lists: Sequence[list[Label]], codes: Sequence[Codes]) -> tuple[list[Label], Codes]:
    """One sorted list of the distinct labels, and the codes that point into it."""
    distinct = sorted({label for labels in lists for label in labels})
    rank = {label: position for position, label in enumerate(distinct)}
    renumbered = [
        np.array([rank[label] for label in labels], np.int64)[code]
        for labels, code in zip(lists, codes, strict=True)
    ]
    return distinct, np.concatenate(renumbered)


def frames_from_tables(tables: Iterable[pa.Table]) -> list[Frame]:
    """Arrow tables as a query returned them; tables without rows give no frame."""
    return [_frame(table) for table in tables if table.num_rows]


def frame_of_column(table: pa.Table, column: str) -> Frame:
    """A table of one field, which has its values in this column; the frame names the field so."""
    tag_keys = sorted(name for name in table.column_names if name not in NOT_TAGS and name != column)
    tag_sets, series = _tag_sets(table, tag_keys)
    field = np.zeros(table.num_rows, np.int64)
    return Frame(
        tag_sets=tag_sets,
        series=series,
        fields=[column],
        field=field,
        time_ns=_nanoseconds(table, "_time"),
        values=_values(table.column(column)),
    )


def result_name(table: pa.Table) -> str:
    """Name of the yield that a table came from."""
    metadata: dict[bytes, bytes] = table.schema.metadata or {}
    return metadata.get(b"result", b"").decode()


def _frame(table: pa.Table) -> Frame:
    tag_keys = sorted(name for name in table.column_names if name not in NOT_TAGS)
    tag_sets, series = _tag_sets(table, tag_keys)
    field_codes, field_names = _encode(table.column("_field"))
    fields, field = _renumber([[name or "" for name in field_names]], [field_codes])
    time_column = "_time" if "_time" in table.column_names else "_start"
    return Frame(
        tag_sets=tag_sets,
        series=series,
        fields=fields,
        field=field,
        time_ns=_nanoseconds(table, time_column),
        values=_values(table.column("_value")),
        start_ns=_nanoseconds(table, "_start") if "_start" in table.column_names else None,
        result=result_name(table),
    )


def _tag_sets(table: pa.Table, tag_keys: Sequence[str]) -> tuple[list[TagSet], Codes]:
    """Number the distinct tag sets in sorted order; a missing tag and an empty one are the same."""
    if not tag_keys:
        return [()], np.zeros(table.num_rows, np.int64)
    codes = np.zeros(table.num_rows, np.int64)
    columns = [_encode(table.column(key)) for key in tag_keys]
    for column, texts in columns:
        # renumber after each key, so that the product of many keys never overflows
        codes = _dense(codes * len(texts) + column)
    first_rows = np.zeros(codes.max() + 1, np.int64)
    first_rows[codes[::-1]] = np.arange(len(codes))[::-1]
    tag_sets: list[TagSet] = [
        tuple(
            (key, text)
            for key, (column, texts) in zip(tag_keys, columns, strict=True)
            if (text := texts[column[row]])
        )
        for row in first_rows.tolist()
    ]
    return _renumber([tag_sets], [codes])


def _dense(codes: Codes) -> Codes:
    """Number the distinct codes from zero on, in their order; a table of all codes is faster than sorting them."""
    highest = int(codes.max())
    if highest > 4 * len(codes) + MAX_CODES:
        return np.unique(codes, return_inverse=True)[1].reshape(-1)
    is_used = np.zeros(highest + 1, bool)
    is_used[codes] = True
    return (np.cumsum(is_used) - 1)[codes]


def _encode(column: pa.ChunkedArray) -> tuple[Codes, list[str | None]]:
    """Codes and distinct texts of a string column; null is a text of its own."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = _one_chunk(column.unify_dictionaries())
    texts = array.dictionary.to_pylist()
    codes = numbers_of(array.indices).astype(np.int64)
    if array.null_count:
        codes[~_validity(array)] = len(texts)
        texts.append(None)
    return codes, texts


def _nanoseconds(table: pa.Table, name: str) -> Codes:
    import pyarrow as pa

    array = _one_chunk(table.column(name).cast(pa.timestamp("ns", "UTC")).cast(pa.int64()))
    return numbers_of(array).astype(np.int64)


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        texts = np.empty(len(column), object)
        texts[:] = column.to_pylist()
        return texts
    if pa.types.is_boolean(column.type):
        return numbers_of(_one_chunk(column.cast(pa.uint8()))).astype(bool)
    return numbers_of(_one_chunk(column))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array.chunk(0) if hasattr(array, "chunk") else array


def _validity(array: pa.Array) -> NDArray[np.bool_]:
    """Mask of the values that are not null."""
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)
