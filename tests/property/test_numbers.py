"""Aggregates of integers and floats of any size, against Python's integers and fractions, and numpy's quantiles."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.compute import Groups, compute
from airflow_provider_influx_rollup.exceptions import AggregateOverflow
from tests.scenes.examples import examples

SIGNED = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1, 0, 2**62]))
UNSIGNED = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**64 - 1, 2**63]))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
LISTS = {
    "int64": st.lists(st.lists(SIGNED, min_size=1, max_size=9), min_size=1, max_size=4),
    "uint64": st.lists(st.lists(UNSIGNED, min_size=1, max_size=9), min_size=1, max_size=4),
}
INTEGERS = st.sampled_from(["int64", "uint64"]).flatmap(
    lambda dtype: LISTS[dtype].map(lambda groups: (dtype, groups))
)


def groups_of(lists: list[list[Any]], dtype: str) -> Groups:
    values = np.array([value for one in lists for value in one], dtype)
    starts = np.cumsum([0, *(len(one) for one in lists[:-1])]).astype(np.int64)
    return Groups(values, np.arange(len(values), dtype=np.int64) * 10**9, starts)


def computed(name: str, lists: list[list[Any]], dtype: str) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values: list[Any] = compute(find_aggregate(name), groups_of(lists, dtype)).tolist()
    return values


def increase(values: list[int]) -> int:
    return sum(b - a if b >= a else max(b, 0) for a, b in pairwise(values))


@settings(max_examples=examples(80), deadline=None)
@given(INTEGERS)
def test_integer_results_are_exact_or_refused(case: tuple[str, list[list[int]]]) -> None:
    dtype, lists = case
    limits = np.iinfo(dtype)
    for name, oracle in (("sum", sum), ("spread", lambda one: max(one) - min(one)), ("increase", increase)):
        expected = [oracle(one) for one in lists]
        bad = [number for number, value in enumerate(expected) if not limits.min <= value <= limits.max]
        if bad:
            with pytest.raises(AggregateOverflow) as caught:
                computed(name, lists, dtype)
            assert caught.value.group == bad[0]
        else:
            assert computed(name, lists, dtype) == expected


@settings(max_examples=examples(80), deadline=None)
@given(INTEGERS)
def test_means_and_deviations_of_integers_are_right(case: tuple[str, list[list[int]]]) -> None:
    dtype, lists = case
    for found, one in zip(computed("mean", lists, dtype), lists, strict=True):
        # two roundings, of the sum and of the quotient
        assert math.isclose(found, float(Fraction(sum(one), len(one))), rel_tol=4e-16)
    for found, one in zip(computed("stddev", lists, dtype), lists, strict=True):
        if len(one) == 1:
            assert math.isnan(found)
            continue
        mean = Fraction(sum(one), len(one))
        variance = sum((value - mean) ** 2 for value in one) / (len(one) - 1)
        assert math.isclose(found, math.sqrt(variance), rel_tol=1e-9)


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(st.lists(FINITE, min_size=1, max_size=9), min_size=1, max_size=4))
@example([[1e308, 1.5e308, 1.7e308], [1.0]])
@example([[1.7e308, 1.7e308, -1.7e308, -1.7e308]])
def test_sums_and_means_of_floats_are_right_or_infinite(lists: list[list[float]]) -> None:
    for name, count in (("sum", [1] * len(lists)), ("mean", [len(one) for one in lists])):
        for found, one, divisor in zip(computed(name, lists, "float64"), lists, count, strict=True):
            exact = sum(map(Fraction, one)) / divisor
            error = sum(abs(Fraction(value)) for value in one) * Fraction(1, 10**14)
            if math.isinf(found):
                assert abs(exact) + error > Fraction(1.797e308)
            else:
                assert abs(Fraction(found) - exact) <= error + Fraction(1, 10**300)


PERCENTS = [0, 1, 5, 10, 25, 45, 50, 75, 90, 95, 96, 98, 99, 99.9, 100]
ANY_FLOATS = st.lists(
    st.one_of(FINITE, st.floats(0.5, 0.7), st.sampled_from([0.1, 0.3, 0.56758051638767337])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=examples(80), deadline=None)
@given(ANY_FLOATS)
@example([0.56758051638767337] * 279)
@example([0.60287681548494698] * 279)
@example([-1.7e308, 1.7e308])
def test_quantiles_rise_and_stay_between_their_neighbours(values: list[float]) -> None:
    found = [computed(f"p{percent}", [values], "float64")[0] for percent in PERCENTS]
    assert found == sorted(found)
    ordered = sorted(values)
    for percent, quantile in zip(PERCENTS, found, strict=True):
        position = find_aggregate(f"p{percent}").quantile * (len(values) - 1)  # type: ignore[operator]
        low, high = ordered[math.floor(position)], ordered[math.ceil(position)]
        assert low <= quantile <= high
        exact = Fraction(low) + (Fraction(high) - Fraction(low)) * Fraction(position - math.floor(position))
        close = max(abs(Fraction(low)), abs(Fraction(high))) * Fraction(1, 10**15) + Fraction(1, 10**300)
        assert abs(Fraction(quantile) - exact) <= close


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from(PERCENTS))
def test_quantiles_are_those_of_numpy(values: list[float], percent: float) -> None:
    (found,) = computed(f"p{percent}", [values], "float64")
    expected = float(np.quantile(np.array(values), percent / 100, method="linear"))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-9)


@given(st.floats(-1e300, 1e300), st.integers(1, 300), st.sampled_from(PERCENTS))
def test_quantile_of_equal_values_is_the_value(value: float, count: int, percent: float) -> None:
    assert computed(f"p{percent}", [[value] * count], "float64") == [value]
    assert computed("median", [[value] * count], "float64") == [value]
