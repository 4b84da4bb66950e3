"""Points of files with one column for each field."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_influx_rollup.archive.value_kinds import file_schema
from airflow_provider_influx_rollup.archive.wide_table import widen
from airflow_provider_influx_rollup.exceptions import ConfigurationError

A, B = "device-a", "device-b"


def table(kind: str, *points: tuple[int, str | None, str, Any]) -> pa.Table:
    """Points of one type: time in ns, device, field, value."""
    schema = file_schema(kind, ("device",))
    columns = zip(*points, strict=True)
    return pa.Table.from_arrays(
        [pa.array(column).cast(field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def rows(wide: pa.Table) -> list[tuple[Any, ...]]:
    columns = [
        wide["_time"].cast(pa.int64()).to_pylist(),
        *(wide[name].to_pylist() for name in wide.column_names[1:]),
    ]
    return list(zip(*columns, strict=True))


def test_fields_of_one_time_are_one_row_when_their_types_differ() -> None:
    floats = table("float", (7, B, "temp", 20.5), (5, A, "temp", 1.5), (7, A, "temp", 2.5))
    texts = table("string", (7, A, "state", "ok"), (9, A, "state", "off"))
    wide = widen([floats, texts], ("device",))
    assert wide.column_names == ["_time", "device", "state", "temp"]
    assert sorted(rows(wide), key=lambda row: (row[1], row[0])) == [
        (5, A, None, 1.5),
        (7, A, "ok", 2.5),
        (9, A, "off", None),
        (7, B, None, 20.5),
    ]


def test_series_without_the_tag_is_apart_when_its_times_are_equal() -> None:
    wide = widen([table("integer", (5, A, "n", 1), (5, None, "n", 2))], ("device",))
    assert set(rows(wide)) == {(5, A, 1), (5, None, 2)}


def test_field_has_a_column_for_each_type_when_it_had_several() -> None:
    tables = [
        table("float", (5, A, "v", 1.5)),
        table("string", (6, A, "v", "x")),
        table("boolean", (6, A, "on", True)),
    ]
    wide = widen(tables, ("device",))
    assert wide.column_names == ["_time", "device", "on", "v_float", "v_string"]
    assert rows(wide) == [(5, A, None, 1.5, None), (6, A, True, None, "x")]


def test_it_is_refused_when_two_columns_would_have_one_name() -> None:
    with pytest.raises(ConfigurationError, match="two columns of the table would have the name 'device'"):
        widen([table("float", (5, A, "device", 1.5))], ("device",))
