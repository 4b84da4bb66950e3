"""The aggregates of groups against the plainest computation of each group alone."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.aggregates.catalog import CATALOG, find_aggregate
from airflow_provider_influx_rollup.aggregates.compute import FUNCTIONS, Groups, compute
from airflow_provider_influx_rollup.exceptions import UnknownAggregate

GROUPS_OF_FLOATS = st.lists(
    st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=12), min_size=1, max_size=6
)
GROUPS_OF_INTS = st.lists(
    st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=12), min_size=1, max_size=6
)


def groups_of(lists: list[list[Any]], dtype: Any, step_ns: int = 1_000_000_000) -> Groups:
    values = np.array([value for group in lists for value in group], dtype)
    times = np.concatenate([np.arange(len(group)) * step_ns for group in lists]).astype(np.int64)
    starts = np.cumsum([0, *(len(group) for group in lists[:-1])]).astype(np.int64)
    return Groups(values, times, starts)


def run(name: str, lists: list[list[Any]], dtype: Any) -> list[Any]:
    return list(compute(find_aggregate(name), groups_of(lists, dtype)).tolist())


def close(found: list[float], expected: list[float], scale: float = 0.0) -> bool:
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9 * max(1.0, scale)) or (math.isnan(a) and math.isnan(b))
        for a, b in zip(found, expected, strict=True)
    )


@given(GROUPS_OF_INTS)
def test_integers_are_exact_when_groups_are_any(lists: list[list[int]]) -> None:
    plain = {
        "count": len,
        "sum": sum,
        "min": min,
        "max": max,
        "first": lambda group: group[0],
        "last": lambda group: group[-1],
        "spread": lambda group: max(group) - min(group),
        "distinct": lambda group: len(set(group)),
        "increase": lambda group: sum(b - a if b >= a else max(b, 0) for a, b in pairwise(group)),
        "resets": lambda group: sum(b < a for a, b in pairwise(group)),
    }
    for name, function in plain.items():
        found = run(name, lists, np.int64)
        assert found == [function(group) for group in lists], name
        assert all(type(value) is int for value in found), name


@given(GROUPS_OF_FLOATS)
def test_floats_equal_the_statistics_module_when_groups_are_any(lists: list[list[float]]) -> None:
    scale = max(abs(value) for group in lists for value in group)
    plain = {
        "sum": math.fsum,
        "mean": statistics.fmean,
        "median": statistics.median,
        "stddev": lambda group: statistics.stdev(group) if len(group) > 1 else math.nan,
        "spread": lambda group: max(group) - min(group),
    }
    for name, function in plain.items():
        assert close(run(name, lists, np.float64), [function(group) for group in lists], scale), name


@given(GROUPS_OF_FLOATS, st.sampled_from(["p0", "p1", "p50", "p90", "p99", "p99.9", "p100"]))
def test_quantiles_equal_numpy_when_groups_are_any(lists: list[list[float]], name: str) -> None:
    expected = [float(np.quantile(group, float(name[1:]) / 100)) for group in lists]
    scale = max(abs(value) for group in lists for value in group)
    assert close(run(name, lists, np.float64), expected, scale)


@given(GROUPS_OF_FLOATS)
def test_integral_is_the_sum_of_trapezoids_when_groups_are_any(lists: list[list[float]]) -> None:
    expected = [math.fsum((one + next_one) / 2 for one, next_one in pairwise(group)) for group in lists]
    scale = sum(abs(value) for group in lists for value in group)
    assert close(run("integral", lists, np.float64), expected, scale)


def test_integral_counts_seconds_when_points_are_uneven() -> None:
    times = np.array([0, 500_000_000, 3_000_000_000], np.int64)
    groups = Groups(np.array([2.0, 4.0, 0.0]), times, np.array([0], np.int64))
    assert compute(find_aggregate("integral"), groups).tolist() == [1.5 + 5.0]


def test_standard_deviation_is_none_when_a_group_has_one_value() -> None:
    assert [math.isnan(value) for value in run("stddev", [[1.0], [1.0, 3.0]], np.float64)] == [True, False]


@pytest.mark.parametrize("name", ["first", "last", "distinct", "count"])
def test_texts_and_booleans_work_when_the_aggregate_needs_no_numbers(name: str) -> None:
    texts = [["b", "a", "b"], ["", "x"]]
    expected = {"first": ["b", ""], "last": ["b", "x"], "distinct": [2, 2], "count": [3, 2]}
    assert run(name, texts, object) == expected[name]
    booleans = [[True, False], [True]]
    expected = {"first": [True, True], "last": [False, True], "distinct": [2, 1], "count": [2, 1]}
    assert run(name, booleans, bool) == expected[name]


def test_unsigned_integers_stay_exact_when_they_are_larger_than_signed_ones() -> None:
    large = [[2**63 + 5, 2**63 + 1]]
    assert run("max", large, np.uint64) == [2**63 + 5]
    assert run("spread", large, np.uint64) == [4]
    assert run("increase", [[2**63 + 1, 2**63 + 5, 7, 9]], np.uint64) == [4 + 7 + 2]
    assert run("resets", [[2**63 + 5, 2**63 + 1, 0]], np.uint64) == [2]


def test_every_aggregate_that_is_no_quantile_and_no_sketch_has_a_function() -> None:
    assert set(FUNCTIONS) == {name for name, aggregate in CATALOG.items() if aggregate.sketch is None}


@pytest.mark.parametrize(("name", "quantile"), [("p0", 0.0), ("p5", 0.05), ("p99.9", 0.999), ("p100", 1.0)])
def test_quantile_is_found_when_its_name_is_a_percentage(name: str, quantile: float) -> None:
    assert find_aggregate(name).quantile == pytest.approx(quantile)


@pytest.mark.parametrize(
    "name", ["", "p", "p101", "p-1", "p1e2", "p99.", "P99", "avg", "mean ", "p99.99999", "p٣"]
)
def test_aggregate_is_refused_when_its_name_is_unknown(name: str) -> None:
    with pytest.raises(UnknownAggregate, match="p99"):
        find_aggregate(name)
