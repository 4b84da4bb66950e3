"""The five types of a field's values, and how Parquet holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_influx_rollup.archive.arrow_schema import TEXT_OF_KEY, TIME, VALUE
from airflow_provider_influx_rollup.arrow_numbers import array_of, numbers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TIME_COLUMN, FIELD_COLUMN = "_time", "_field"

ARROW_TYPES: Mapping[str, pa.DataType] = {
    "float": pa.float64(),
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}


def kind_of(value_type: pa.DataType) -> str:
    """``"float"``, ``"integer"``, ``"unsigned"``, ``"boolean"`` or ``"string"``."""
    plain = value_type.value_type if pa.types.is_dictionary(value_type) else value_type
    return next(kind for kind, arrow_type in ARROW_TYPES.items() if arrow_type == plain)


def file_schema(kind: str, tags: Sequence[str]) -> pa.Schema:
    """The columns of a file of one value type: ``_time``, the tags, ``_field``, ``_value``. An absent tag is null."""
    return pa.schema(
        [
            pa.field(TIME_COLUMN, TIME, nullable=False),
            *(pa.field(tag, TEXT_OF_KEY) for tag in tags),
            pa.field(FIELD_COLUMN, TEXT_OF_KEY, nullable=False),
            pa.field(VALUE, ARROW_TYPES[kind], nullable=False),
        ]
    )


def file_table(table: pa.Table, tags: Sequence[str]) -> pa.Table:
    """A decoded answer as a file holds it.

    :param table: with ``_time``, ``_field``, ``_value`` and tags, of which ``""`` stands for absent
    :param tags: all tags of the file; those that the table lacks are null
    """
    schema = file_schema(kind_of(table.schema.field(VALUE).type), tags)
    columns: list[pa.ChunkedArray] = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, pa.string()).cast(field.type)]))
        elif field.name in tags:
            columns.append(
                pa.chunked_array([_absent_as_null(chunk) for chunk in table[field.name].chunks], field.type)
            )
        else:
            columns.append(table[field.name])
    return pa.table(columns, schema=schema)


def _absent_as_null(chunk: pa.DictionaryArray) -> pa.DictionaryArray:
    """InfluxDB has no empty tag: the text stands for none."""
    empty = pc.index(chunk.dictionary, "").as_py()
    if empty < 0:
        return chunk
    indices = pc.if_else(pc.equal(chunk.indices, empty), None, chunk.indices)
    return pa.DictionaryArray.from_arrays(indices, chunk.dictionary)


def without_unused_texts(table: pa.Table) -> pa.Table:
    """The same points, with dictionaries that hold no text but those of these points.

    A filter leaves a dictionary whole, and Parquet writes it whole: what no row has any more would be readable.
    """
    columns = [
        _with_used_texts(column) if pa.types.is_dictionary(column.type) else column
        for column in table.unify_dictionaries().columns
    ]
    return pa.table(columns, schema=table.schema)


def _with_used_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose chunks share one dictionary of the texts they use."""
    chunks = column.chunks
    if not chunks:
        return column
    dictionary = chunks[0].dictionary
    is_used = np.zeros(len(dictionary), np.bool_)
    for chunk in chunks:
        is_used[numbers_of(chunk.indices.drop_null())] = True
    if is_used.all():
        return column
    # the place of each text among those that are used
    places = array_of((np.cumsum(is_used) - 1).astype(np.int32))
    texts = dictionary.take(array_of(np.flatnonzero(is_used)))
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(places.take(chunk.indices), texts) for chunk in chunks], column.type
    )
