"""Points with one column for each field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_influx_rollup.archive.arrow_schema import VALUE
from airflow_provider_influx_rollup.archive.value_kinds import FIELD_COLUMN, TIME_COLUMN, kind_of
from airflow_provider_influx_rollup.exceptions import ConfigurationError


def widen(tables: Sequence[pa.Table], tags: Sequence[str]) -> pa.Table:
    """One row for each tag set and time, by tag set and then by time; one column for each field, null where it has no value.

    A field that had several types has a column for each, such as ``v_float`` and ``v_string``.

    :param tables: one for each value type, each with all tags
    :raises ConfigurationError: when two columns would have one name
    """
    keys = pa.concat_tables([table.select([TIME_COLUMN, *tags]) for table in tables]).unify_dictionaries()
    keys = keys.combine_chunks()
    times = keys[TIME_COLUMN].cast(pa.int64()).to_numpy()
    order, groups = _grouped([_codes(keys[tag]) for tag in tags], times)
    firsts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    rows = keys.take(pa.array(order[firsts]))
    columns = {name: rows[name] for name in (TIME_COLUMN, *tags)}
    values = _value_columns(tables, groups, len(firsts))
    kinds: dict[str, int] = {}
    for field, _ in values:
        kinds[field] = kinds.get(field, 0) + 1
    for (field, kind), column in sorted(values.items()):
        name = field if kinds[field] == 1 else f"{field}_{kind}"
        if name in columns:
            what = f"two columns of the table would have the name {name!r}"
            raise ConfigurationError(
                what, written="nothing", fix="choose other fields, or leave wide=True out"
            )
        columns[name] = column
    return pa.table(columns)


def _grouped(codes: Sequence[Any], times: Any) -> tuple[Any, Any]:
    """The order by series and time, and the number of each row's series and time in that order."""
    series = np.zeros(len(times), np.int64)
    for column in codes:
        # made small after each column, so that many tags do not exceed 64 bits
        _, series = np.unique(series * (int(column.max(initial=0)) + 1) + column, return_inverse=True)
    order = np.lexsort((times, series))
    is_new = np.ones(len(times), np.bool_)
    is_new[1:] = (series[order][1:] != series[order][:-1]) | (times[order][1:] != times[order][:-1])
    groups = np.empty(len(times), np.int64)
    groups[order] = np.cumsum(is_new) - 1
    return order, groups


def _codes(column: pa.ChunkedArray) -> Any:
    """The place of each row's text, 0 for an absent one."""
    parts = [chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy() + 1 for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _value_columns(
    tables: Sequence[pa.Table], groups: Any, count: int
) -> dict[tuple[str, str], pa.ChunkedArray]:
    found: dict[tuple[str, str], pa.ChunkedArray] = {}
    begin = 0
    for table in tables:
        kind = kind_of(table.schema.field(VALUE).type)
        own = groups[begin : begin + table.num_rows]
        begin += table.num_rows
        names = table[FIELD_COLUMN].cast(pa.string())
        for name in sorted(pc.unique(names).to_pylist()):
            rows = np.flatnonzero(pc.equal(names, name).to_numpy())
            places = np.full(count, -1, np.int64)
            places[own[rows]] = rows
            wanted = pa.array(places, mask=places < 0)
            found[(name, kind)] = table[VALUE].take(wanted)
    return found
