"""Sketches of any data: the stated error, and parts that merge into exactly the whole."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from airflow_provider_influx_rollup.aggregates.distinct_sketch import (
    STANDARD_ERROR,
    decode_images,
    encode_images,
    estimates,
    merge_images,
    sketch_values,
)
from airflow_provider_influx_rollup.aggregates.quantile_sketch import (
    MAX_BUCKETS,
    QuantileSketches,
    merge_sketches,
    quantiles,
    sketch_numbers,
)
from airflow_provider_influx_rollup.aggregates.quantile_text import (
    decode_quantile_sketches,
    encode_quantile_sketches,
)

# below it a double has fewer digits than the error needs
SMALLEST = 1e-300
SHARES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0)
WHOLE = np.zeros(1, np.int64)

any_floats = st.floats(allow_nan=False, allow_infinity=False)
telemetry = st.floats(min_value=-1e6, max_value=1e6).map(lambda number: round(number, 2))
# as many different magnitudes as a double has, so that buckets must be joined
spread_out = st.integers(-900, 900).map(lambda exponent: 2.0**exponent)


@st.composite
def numbers(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Numbers of one type that a field can have."""
    kind = draw(st.sampled_from(["any", "telemetry", "spread", "int64", "uint64", "wide"]))
    if kind == "int64":
        return draw(arrays.arrays(np.int64, st.integers(1, 60)))
    if kind == "uint64":
        return draw(arrays.arrays(np.uint64, st.integers(1, 60)))
    if kind == "wide":  # more buckets than a sketch may have
        random = np.random.default_rng(draw(st.integers(0, 2**32)))
        width = draw(st.integers(20, 700))
        return random.choice([-1.0, 1.0], 9000) * np.exp(random.uniform(-width, width, 9000))
    values = {"any": any_floats, "telemetry": telemetry, "spread": spread_out}[kind]
    return np.array(draw(st.lists(values, min_size=1, max_size=60)))


def neighbours(values: np.ndarray[Any, Any], share: float) -> tuple[float, float, float]:
    """The two numbers that an exact quantile lies between, and the weight of the second."""
    ordered = np.sort(values)
    position = share * (len(ordered) - 1)
    below = int(np.floor(position))
    return float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)]), position - below


def texts_of(values: np.ndarray[Any, Any], cuts: list[int]) -> tuple[str, list[str]]:
    """The text of a whole, and those of its parts."""
    edges = sorted({0, *(cut % len(values) for cut in cuts)})
    parts = encode_quantile_sketches(sketch_numbers(values, np.array(edges)))
    return encode_quantile_sketches(sketch_numbers(values, WHOLE))[0], list(parts)


def merged(texts: list[str]) -> str:
    return encode_quantile_sketches(merge_sketches(decode_quantile_sketches(texts), WHOLE))[0]


@given(numbers(), st.floats(0, 1))
@example(np.array([0.0, -0.0, 5e-324, -5e-324]), 0.5)
@example(np.array([1.7976931348623157e308, 1.7976931348623155e308]), 0.5)
@example(np.array([-(2**63), 2**63 - 1]), 0.5)
@example(np.array([2**64 - 1], np.uint64), 0.5)
def test_quantile_is_within_its_error_when_the_data_is_anything(
    values: np.ndarray[Any, Any], share: float
) -> None:
    sketches = sketch_numbers(values, WHOLE)
    error = float(sketches.errors[0]) + 1e-9
    assert len(sketches.keys) <= MAX_BUCKETS
    for one in (*SHARES, share):
        low, high, weight = neighbours(values, one)
        exact = low * (1 - weight) + high * weight
        allowed = error * (abs(low) * (1 - weight) + abs(high) * weight) + SMALLEST
        assert abs(float(quantiles(sketches, one)[0]) - exact) <= allowed


@given(numbers())
def test_error_is_below_one_percent_when_the_data_has_not_every_magnitude(
    values: np.ndarray[Any, Any],
) -> None:
    sketches = sketch_numbers(values, WHOLE)
    distinct = len(np.unique(values))
    if distinct <= MAX_BUCKETS:
        assert sketches.errors[0] < 0.01


@given(numbers(), st.lists(st.integers(0, 10**6), max_size=5), st.randoms(use_true_random=False))
def test_text_is_that_of_the_whole_when_parts_merge_in_any_order(
    values: np.ndarray[Any, Any], cuts: list[int], random: Any
) -> None:
    whole, parts = texts_of(values, cuts)
    random.shuffle(parts)
    assert merged(parts) == whole
    half = random.randint(0, len(parts))
    in_steps = [merged(some) for some in (parts[:half], parts[half:]) if some]
    assert merged(in_steps) == whole


@given(numbers(), st.randoms(use_true_random=False))
def test_text_is_the_same_when_the_numbers_come_in_another_order(
    values: np.ndarray[Any, Any], random: Any
) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    assert texts_of(values[order], [])[0] == texts_of(values, [])[0]


@given(st.lists(numbers(), min_size=1, max_size=4))
def test_sketches_are_those_of_each_group_when_groups_are_computed_together(
    groups: list[np.ndarray[Any, Any]],
) -> None:
    floats = [group.astype(np.float64) for group in groups]
    starts = np.cumsum([0, *(len(group) for group in floats[:-1])])
    together = sketch_numbers(np.concatenate(floats), starts)
    assert list(encode_quantile_sketches(together)) == [texts_of(group, [])[0] for group in floats]
    back = decode_quantile_sketches(encode_quantile_sketches(together))
    for name in QuantileSketches.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(back, name), getattr(together, name))


@st.composite
def field_values(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Values of any type that a field can have, few or many of them different."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.integers(1, 900))
    kind = draw(st.sampled_from("fiubO"))
    if kind == "f":
        return np.round(random.normal(0, 100, size), draw(st.integers(0, 3)))
    if kind == "b":
        return random.random(size) < 0.5
    if kind == "O":
        return np.array(draw(st.lists(st.text(max_size=5), min_size=1, max_size=40)), object)
    return random.integers(0, 2 ** draw(st.sampled_from([3, 9, 62])), size).astype(f"{kind}8") << 1


@given(field_values(), st.lists(st.integers(0, 10**6), max_size=4), st.randoms(use_true_random=False))
@example(np.array(["", "\0", "\0\0", " "], object), [2], Random(0))
def test_distinct_sketch_is_that_of_the_whole_when_parts_merge_in_any_order(
    values: np.ndarray[Any, Any], cuts: list[int], random: Any
) -> None:
    whole = sketch_values(values, WHOLE)
    edges = np.array(sorted({0, *(cut % len(values) for cut in cuts)}))
    parts = decode_images(encode_images(sketch_values(values, edges)))
    random.shuffle(parts)
    half = random.randint(0, len(parts))
    in_steps = [merge_images(some, WHOLE)[0] for some in (parts[:half], parts[half:]) if some]
    assert merge_images(parts, WHOLE) == merge_images(in_steps, WHOLE) == whole
    order = list(range(len(values)))
    random.shuffle(order)
    assert sketch_values(values[order], WHOLE) == whole
    exact = len(set(values.tolist()))
    assert estimates(whole)[0] == pytest.approx(exact, rel=3 * STANDARD_ERROR, abs=0.5)


@pytest.mark.parametrize("size", [1, 7, 8, 100, 384, 385, 1_000, 10_000, 300_000])
def test_distinct_count_is_within_three_deviations_when_sets_are_larger(size: int) -> None:
    random = np.random.default_rng(size)
    seen = [
        random.normal(20, 5, size),
        random.choice(2**62, size, replace=False) if size <= 10_000 else np.arange(size) * 7919,
        np.array([f"device-{number}" for number in range(size)], object),
    ]
    for values in seen:
        exact = len(np.unique(values))
        parts = sketch_values(np.concatenate([values, values[: size // 2]]), np.array([0, size // 2]))
        assert merge_images(parts, WHOLE) == sketch_values(values, WHOLE)
        count = int(estimates(merge_images(parts, WHOLE))[0])
        assert abs(count - exact) <= (0 if exact <= 384 else 3 * STANDARD_ERROR * exact)
