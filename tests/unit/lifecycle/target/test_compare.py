"""The join of what the source gives with what the target holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.lifecycle.target.compare import Closeness, compare_rows
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetColumn, TargetRows

WINDOWS = 4
Cells = dict[str, dict[tuple[str, int], Any]]


def rows(cells: Cells, series: list[str] | None = None) -> TargetRows:
    """Rows from ``{column: {(device, window): value}}``, with the series in the given order."""
    devices = series or sorted({device for values in cells.values() for device, _ in values})
    tag_sets = [(("device", device),) for device in devices]
    columns = {}
    for name, values in cells.items():
        numbers = np.array([devices.index(device) for device, _ in values], np.int64)
        windows = np.array([window for _, window in values], np.int64)
        array = np.array(list(values.values()))
        columns[name] = TargetColumn(
            name=name, tag_sets=tag_sets, series=numbers, window=windows, time_ns=windows, values=array
        )
    return TargetRows(tag_sets, columns, 0)


def dirty(expected: TargetRows, stored: TargetRows, how: Closeness = Closeness.BITS) -> set[tuple[str, int]]:
    """The rows that differ."""
    names = {*expected.columns, *stored.columns}
    found = compare_rows(expected, stored, WINDOWS, dict.fromkeys(names, how))
    return {(dict(tags)["device"], window) for tags, window in found.pairs()}


VALUES = st.sampled_from([0.0, -0.0, 1.0, math.nextafter(1.0, 2.0), 1e300, -5.5])
KEYS = st.tuples(st.sampled_from("abcd"), st.integers(0, WINDOWS - 1))
CELLS = st.dictionaries(st.sampled_from(["x", "y"]), st.dictionaries(KEYS, VALUES, min_size=1))


@given(CELLS, CELLS, st.permutations("abcd"), st.permutations("abcd"))
def test_rows_that_differ_are_those_a_dictionary_finds_whatever_the_order(
    mine: Cells, theirs: Cells, one: list[str], other: list[str]
) -> None:
    keys = {key for side in (mine, theirs) for values in side.values() for key in values}
    expected = {
        key
        for key in keys
        for name in ("x", "y")
        if repr(mine.get(name, {}).get(key)) != repr(theirs.get(name, {}).get(key))
    }
    assert dirty(rows(mine, one), rows(theirs, other)) == expected
    found = compare_rows(rows(mine, one), rows(theirs, other), WINDOWS, dict.fromkeys("xy", Closeness.BITS))
    stale = {
        (name, dict(tags)["device"], window)
        for name, gone in found.stale.items()
        for tags, window in found.pairs(gone)
    }
    assert stale == {
        (name, *key) for name, values in theirs.items() for key in values if key not in mine.get(name, {})
    }


def test_zero_and_minus_zero_are_equal_only_where_two_functions_made_them() -> None:
    one, other = rows({"x": {("a", 0): 0.0}}), rows({"x": {("a", 0): -0.0}})
    assert dirty(one, other) == {("a", 0)}
    assert dirty(one, other, Closeness.VALUE) == set()


@pytest.mark.parametrize("values", [[True], ["text"], [2**60], [np.uint64(2**63)], [1.5]])
def test_value_of_another_type_differs_and_of_the_same_does_not(values: list[Any]) -> None:
    same = rows({"x": {("a", 0): values[0]}})
    assert dirty(same, rows({"x": {("a", 0): values[0]}})) == set()
    assert dirty(same, rows({"x": {("a", 0): np.int8(3)}})) == {("a", 0)}


def test_point_that_is_stored_under_two_series_keys_has_to_go() -> None:
    stored = rows({"x": {("a", 0): 1.0, ("b", 0): 1.0}}, ["a", "b"])
    column = stored.columns["x"]
    doubled = TargetColumn(
        name="x",
        tag_sets=column.tag_sets,
        series=column.series * 0,
        window=column.window,
        time_ns=column.time_ns,
        values=column.values,
    )
    found = compare_rows(
        rows({"x": {("a", 0): 1.0}}),
        TargetRows(stored.tag_sets, {"x": doubled}, 0),
        WINDOWS,
        {"x": Closeness.BITS},
    )
    assert found.pairs() == [((("device", "a"),), 0)]
    assert list(found.stale) == ["x"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_sums_in_two_orders_are_equal_within_their_rounding(points: list[float]) -> None:
    def side(total: float) -> TargetRows:
        values = {"count": len(points), "min": min(points), "max": max(points), "sum": total}
        return rows({f"t_{name}": {("a", 0): value} for name, value in values.items()})

    in_order = 0.0
    for point in points:
        in_order += point
    how = {"t_sum": Closeness.ROUNDED}
    one = side(in_order)
    for other in (math.fsum(points), sum(reversed(points)), float(np.sum(points))):
        assert compare_rows(one, side(other), WINDOWS, how).pairs() == []
    largest = max(abs(point) for point in points)
    changed = in_order + max(largest, 1e-300) * 1e-8
    assert compare_rows(one, side(changed), WINDOWS, how).pairs() == [((("device", "a"),), 0)]
