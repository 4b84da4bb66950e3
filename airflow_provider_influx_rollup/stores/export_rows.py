"""Points as rows of a lakehouse table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.arrow_numbers import array_of, numbers_of
from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

TIME, TIME_NS, FIELD = "_time", "_time_ns", "_field"
KINDS = ("float", "integer", "unsigned", "boolean", "string")
VALUES = {kind: f"_value_{kind}" for kind in KINDS}


def export_schema(tags: Sequence[str]) -> pa.Schema:
    """The columns: ``_time`` in microseconds, ``_time_ns`` exact, the tags, ``_field``, one for each type of values.

    Tables know no unsigned integers: these are decimals of 20 digits.

    :raises ConfigurationError: when a tag has the name of another column, in upper or lower case
    """
    import pyarrow as pa

    names = [TIME, TIME_NS, *tags, FIELD, *VALUES.values()]
    lowered = [name.lower() for name in names]
    twice = sorted({name for name in tags if lowered.count(name.lower()) > 1})
    if twice:
        what = f"the tag {twice[0]!r} has the name of another column of a table, which knows no upper case"
        raise ConfigurationError(what, written="nothing", fix="use read_archive for this measurement")
    types = {
        "float": pa.float64(),
        "integer": pa.int64(),
        "unsigned": pa.decimal128(20, 0),
        "boolean": pa.bool_(),
        "string": pa.string(),
    }
    return pa.schema(
        [
            pa.field(TIME, pa.timestamp("us", "UTC"), nullable=False),
            pa.field(TIME_NS, pa.int64(), nullable=False),
            *(pa.field(tag, pa.string()) for tag in tags),
            pa.field(FIELD, pa.string(), nullable=False),
            *(pa.field(VALUES[kind], types[kind]) for kind in KINDS),
        ]
    )


def export_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Points of one value type as rows.

    :param schema: of ``export_schema``
    """
    import numpy as np
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.value_kinds import kind_of

    times = batch.column(TIME).cast(pa.int64())
    # towards the past, also before 1970: as windows begin
    micros = array_of(np.floor_divide(numbers_of(times), 1000))
    value = VALUES[kind_of(batch.schema.field("_value").type)]
    columns: dict[str, Any] = {
        TIME: micros.cast(schema.field(TIME).type),
        TIME_NS: times,
        value: batch.column("_value").cast(schema.field(value).type),
    }
    for field in schema:
        if field.name in columns:
            continue
        if field.name in batch.schema.names:
            columns[field.name] = batch.column(field.name).cast(field.type)
        else:
            columns[field.name] = pa.nulls(batch.num_rows, field.type)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
