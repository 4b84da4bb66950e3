"""Annotated CSV straight to Arrow tables: the work per row is all in Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from airflow_provider_influx_rollup.archive.annotated_csv import (
    Block,
    BlockSplitter,
    Doubts,
    ErrorFromText,
    Segment,
    decode_records,
)
from airflow_provider_influx_rollup.archive.annotated_rows import check_names
from airflow_provider_influx_rollup.archive.arrow_schema import TIME, arrow_type, is_text
from airflow_provider_influx_rollup.arrow_numbers import array_of, numbers_of
from airflow_provider_influx_rollup.windows.interval import to_ns

RESULT_KEY = b"result"
BATCH_BYTES = 16 << 20
READ_BLOCK_BYTES = 1 << 20
SEGMENT_BYTES = 1 << 18
# with fewer records in each table, reading the group key once for each gains nothing
LEAST_RECORDS_PER_TABLE = 8
TABLE_COLUMN = 2


class ArrowDecoder:
    """Decode an answer into Arrow tables of flat memory: ``feed`` returns those that are ready.

    The annotation columns result and table are dropped by position, so tags of these names stay. The yield's name is
    in the schema's metadata under ``b"result"``. Times are ``timestamp[ns, UTC]``, strings are dictionaries, but
    not those of ``_value``. A missing value is null, but an empty string cell is ``""``: the format does not tell them apart.

    :param error_from_text: makes the error of a message that the server put into the answer
    :param batch_bytes: how much CSV is gathered before it is parsed
    :param is_final: whether ``doubts`` are ignored
    """

    def __init__(
        self, error_from_text: ErrorFromText, *, batch_bytes: int = BATCH_BYTES, is_final: bool = True
    ) -> None:
        self._is_final = is_final
        self._error_from_text = error_from_text
        self._splitter = BlockSplitter(error_from_text, segment_bytes=SEGMENT_BYTES)
        self._batch_bytes = batch_bytes
        self._pending: dict[Block, list[bytes]] = {}
        self._quoted: set[Block] = set()
        self._pending_bytes = 0

    def feed(self, data: bytes) -> list[pa.Table]:
        """Take more bytes of the answer; return the tables that are ready."""
        for segment in self._splitter.feed(data):
            self._pending.setdefault(segment.block, []).append(segment.data)
            self._pending_bytes += len(segment.data)
            if segment.is_quoted:
                self._quoted.add(segment.block)
        return self._flush() if self._pending_bytes >= self._batch_bytes else []

    @property
    def doubts(self) -> Doubts:
        """Places at which the tables may have lost carriage returns."""
        return self._splitter.doubts

    def close(self) -> list[pa.Table]:
        """Check that the answer is complete and return the last tables.

        :raises InfluxTruncated: when it stops in the middle
        :raises InfluxError: what the server says in the answer
        """
        self._splitter.close()
        return self._flush()

    def _flush(self) -> list[pa.Table]:
        tables = [self._parse(block, b"".join(parts)) for block, parts in self._pending.items()]
        self._pending.clear()
        self._quoted.clear()
        self._pending_bytes = 0
        return tables

    def _parse(self, block: Block, data: bytes) -> pa.Table:
        names = block.names[2:]
        check_names(block, names, self._error_from_text, is_final=self._is_final)
        is_quoted = block in self._quoted
        types = [arrow_type(kind, name) for kind, name in zip(block.types[2:], names, strict=True)]
        try:
            try:
                columns = _read_columns(block, data, types, is_quoted=is_quoted)
            except pa.ArrowInvalid:
                columns = _read_with_far_times(data, types, is_quoted=is_quoted).columns
        except (pa.ArrowInvalid, ValueError) as error:
            decode_records(
                Segment(block, data, is_quoted), self._error_from_text
            )  # names the record, where that is why
            msg = f"the answer cannot be read: {error}"
            raise self._error_from_text(msg) from None
        columns = [
            _finish(column, default, is_quoted=is_quoted)
            for column, default in zip(columns, block.defaults[2:], strict=True)
        ]
        fields = [pa.field(name, column.type) for name, column in zip(names, columns, strict=True)]
        return pa.table(columns, schema=pa.schema(fields, {RESULT_KEY: block.result.encode()}))


def _read_columns(
    block: Block, data: bytes, types: list[pa.DataType], *, is_quoted: bool
) -> list[pa.ChunkedArray]:
    if not is_quoted and any(block.groups[2:]):
        columns = _read_by_table(data, types, block.groups[2:])
        if columns is not None:
            return columns
    return list(read_records(data, types, is_quoted=is_quoted).columns)


def _read_by_table(
    data: bytes, types: list[pa.DataType], groups: Sequence[bool]
) -> list[pa.ChunkedArray] | None:
    """Read the columns of the group key from the first record of each table only: the others repeat them.

    :param data: records without quotes
    :param groups: which columns are in the group key
    :return: None when the tables are too short to gain
    """
    others = [place for place, is_key in enumerate(groups) if not is_key]
    keys = [place for place, is_key in enumerate(groups) if is_key]
    wanted = {TABLE_COLUMN: pa.int64(), **{place + 3: types[place] for place in others}}
    read = _read_chosen(data, wanted, len(types), is_quoted=False)
    tables = np.concatenate([numbers_of(chunk) for chunk in read.column(0).chunks])
    starts = np.concatenate([[0], np.flatnonzero(tables[1:] != tables[:-1]) + 1])
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    if len(ends) != len(tables) or len(starts) * LEAST_RECORDS_PER_TABLE > len(tables):
        return None
    begins = np.concatenate([[0], ends])[starts]
    firsts = b"".join(
        data[begin:end] for begin, end in zip(begins.tolist(), ends[starts].tolist(), strict=True)
    )
    key_types = {place + 3: types[place] for place in keys}
    read_keys = _read_chosen(firsts, key_types, len(types), is_quoted=False).combine_chunks()
    places = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(tables))))
    found = dict(zip(others, read.columns[1:], strict=True))
    for place, column in zip(keys, read_keys.columns, strict=True):
        found[place] = pa.chunked_array([_repeated(column.chunk(0), places)])
    return [found[place] for place in range(len(types))]


def _repeated(keys: pa.Array, places: Any) -> pa.Array:
    if not pa.types.is_dictionary(keys.type):
        return keys.take(array_of(places))
    return pa.DictionaryArray.from_arrays(array_of(numbers_of(keys.indices)[places]), keys.dictionary)


def read_records(data: bytes, types: list[pa.DataType], *, is_quoted: bool) -> pa.Table:
    """Parse records by Arrow's CSV reader, without the annotation column, result and table.

    :param types: the types of the columns after those three
    :param is_quoted: whether a cell may hold a newline; slower
    :raises pyarrow.ArrowInvalid: when a cell is not of its column's type
    """
    wanted = {place + 3: kind for place, kind in enumerate(types)}
    return _read_chosen(data, wanted, len(types), is_quoted=is_quoted)


def _read_chosen(data: bytes, wanted: Mapping[int, pa.DataType], count: int, *, is_quoted: bool) -> pa.Table:
    """Parse some columns.

    :param wanted: their types, by their place, in order
    :param count: how many columns there are, without the first three
    """
    names = [str(place) for place in wanted]
    return pa_csv.read_csv(
        pa.BufferReader(data),
        read_options=pa_csv.ReadOptions(
            column_names=[str(place) for place in range(count + 3)],
            use_threads=False,
            block_size=len(data) + 1 if is_quoted else _block_bytes(data),
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=is_quoted),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(zip(names, wanted.values(), strict=True)),
            include_columns=names,
            null_values=[""],
            strings_can_be_null=False,
            true_values=["true"],
            false_values=["false"],
        ),
    )


def _block_bytes(data: bytes) -> int:
    """Block size of Arrow's reader: no record may be longer than that."""
    step = READ_BLOCK_BYTES // 2
    has_short_records = all(
        data.find(b"\n", start, start + step) >= 0 for start in range(0, len(data) - step, step)
    )
    return READ_BLOCK_BYTES if has_short_records else len(data) + 1


def _read_with_far_times(data: bytes, types: list[pa.DataType], *, is_quoted: bool) -> pa.Table:
    """Parse times in the first second that 64 bits of nanoseconds reach, which Arrow's reader refuses."""
    as_text = [pa.string() if kind == TIME else kind for kind in types]
    table = read_records(data, as_text, is_quoted=is_quoted)
    columns = []
    for kind, column in zip(types, table.columns, strict=True):
        if kind == TIME:
            nanoseconds = [_nanoseconds(text) if text else None for text in column.to_pylist()]
            columns.append(pa.chunked_array([pa.array(nanoseconds, pa.int64()).cast(TIME)]))
        else:
            columns.append(column)
    return pa.table(columns, names=table.column_names)


def _nanoseconds(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return to_ns(datetime.fromisoformat(whole + "Z")) + int(fraction.ljust(9, "0") or 0)


def _finish(column: pa.ChunkedArray, default: str, *, is_quoted: bool) -> pa.ChunkedArray:
    """Give a column its newlines and its defaults."""
    if is_quoted and is_text(column.type):
        column = _on_texts(column, lambda texts: pc.replace_substring(texts, "\r\n", "\n"))
    if not default:
        return column
    if is_text(column.type):
        return _on_texts(column, lambda texts: pc.if_else(pc.equal(texts, ""), default, texts))
    return pc.fill_null(column, pa.scalar(default).cast(column.type))


def _on_texts(column: pa.ChunkedArray, change: Callable[[pa.Array], pa.Array]) -> pa.ChunkedArray:
    """Change the texts of a column, or only those of its dictionaries."""
    if not pa.types.is_dictionary(column.type):
        return change(column)
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, change(chunk.dictionary)) for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, column.type)


def merge_tables(tables: Iterable[pa.Table]) -> list[pa.Table]:
    """Join tables of the same yield and schema, in the order they came first; dictionaries are shared."""
    alike: dict[tuple[object, ...], list[pa.Table]] = {}
    for table in tables:
        key = (table.schema.metadata[RESULT_KEY], *((field.name, field.type) for field in table.schema))
        alike.setdefault(key, []).append(table)
    return [pa.concat_tables(group).unify_dictionaries() for group in alike.values()]
