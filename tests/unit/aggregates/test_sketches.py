from __future__ import annotations

from base64 import b64decode, b64encode

import numpy as np
import pytest
from datasketches import hll_sketch, hll_union

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.compute import Groups, compute
from airflow_provider_influx_rollup.aggregates.distinct_sketch import (
    decode_images,
    encode_images,
    estimates,
    sketch_values,
)
from airflow_provider_influx_rollup.aggregates.extras import require_installed
from airflow_provider_influx_rollup.aggregates.log_buckets import (
    BIAS,
    BUCKETS_PER_DOUBLING,
    keys_of,
    middles_of,
    relative_error,
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
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.aggregates.varints import decode_varints, encode_varints
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch, ConfigurationError

WHOLE = np.zeros(1, np.int64)
# what these numbers and values were stored as when the formats were made: a change makes stored texts unreadable
NUMBERS = np.array([-3.5, 0.0, 0.1, 20.25, 20.25, 1e9])
QUANTILE_TEXT = "AQAAAAAAAAAMwAAAAABlzc1BBYmBCMWABIL/A6MCzAcBAQECAQ=="
DISTINCT_TEXT = "AgEHDAMIBAQvgjsECv+ABDVNgQ+ohtAf"


def test_buckets_lie_in_the_order_of_the_numbers_when_they_are_of_any_size() -> None:
    random = np.random.default_rng(1)
    numbers = np.sort(
        np.concatenate(
            [random.normal(0, 10, 5000), 2.0 ** np.arange(-1074, 1024), -(2.0 ** np.arange(-50, 50)), [0.0]]
        )
    )
    keys = keys_of(numbers)
    assert (np.diff(keys) >= 0).all()
    assert keys_of(np.array([1.0, 2.0, 0.0, -1.0])).tolist() == [
        BIAS + 1,
        BIAS + 1 + BUCKETS_PER_DOUBLING,
        0,
        -BIAS - 1,
    ]


def test_middle_is_within_its_error_when_pairs_of_buckets_were_joined() -> None:
    numbers = np.exp(np.random.default_rng(2).uniform(-600, 600, 20_000))
    for level in range(6):
        keys = ((keys_of(numbers) - 1) >> level) + 1
        error = np.abs(middles_of(keys, np.full(len(keys), level)) / numbers - 1)
        assert 0.9 * relative_error(level) < error.max() <= relative_error(level) * (1 + 1e-9)
    assert relative_error(0) < 0.01 < relative_error(1) < 0.02


def test_texts_stay_readable_when_the_program_changes() -> None:
    assert list(encode_quantile_sketches(sketch_numbers(NUMBERS, WHOLE))) == [QUANTILE_TEXT]
    assert list(encode_images(sketch_values(np.array(["a", "b", "", "a", "ü"], object), WHOLE))) == [
        DISTINCT_TEXT
    ]


def test_text_fits_into_a_string_field_when_the_sketch_is_as_large_as_it_can_be() -> None:
    keys = np.arange(MAX_BUCKETS) * 120 - 100_000
    counts = np.full(MAX_BUCKETS, 2**51)
    largest = QuantileSketches(
        starts=WHOLE,
        keys=keys,
        counts=counts,
        levels=np.array([3]),
        lows=np.array([-1e300]),
        highs=np.array([1e300]),
    )
    [text] = encode_quantile_sketches(largest)
    assert 20_000 < len(text) <= 27_400
    assert decode_quantile_sketches([text]).counts.sum() == 2**62


def test_buckets_are_joined_when_there_are_too_many() -> None:
    numbers = np.exp(np.linspace(-300, 300, 100_000))
    sketches = sketch_numbers(numbers, WHOLE)
    assert sketches.levels[0] == 5
    assert len(sketches.keys) <= MAX_BUCKETS
    halves = sketch_numbers(numbers, np.array([0, 700]))
    assert halves.levels.tolist() == [0, 4]
    merged = merge_sketches(halves, WHOLE)  # which joins once more
    assert list(encode_quantile_sketches(merged)) == list(encode_quantile_sketches(sketches))


def test_extremes_are_exact_when_quantiles_are_read() -> None:
    sketches = sketch_numbers(np.array([3.0, 7.77, 123.456, 5.5, 5.5, 5.5]), np.array([0, 3]))
    assert quantiles(sketches, 0.0).tolist() == [3.0, 5.5]
    assert quantiles(sketches, 1.0).tolist() == [123.456, 5.5]
    assert quantiles(sketches, 0.5)[1] == 5.5


@pytest.mark.parametrize("numbers", [[0, 1, 127, 128, 2**32, 2**63, 2**64 - 1], []])
def test_whole_numbers_come_back_when_they_were_encoded(numbers: list[int]) -> None:
    encoded, ends = encode_varints(np.array(numbers, np.uint64))
    back, ends_back = decode_varints(encoded)
    assert back.tolist() == numbers
    assert ends_back.tolist() == ends.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        "AAAA",
        b64encode(b64decode(QUANTILE_TEXT)[:-1]).decode(),
        b64encode(b64decode(QUANTILE_TEXT)[:18]).decode(),
        b64encode(b"\2" + b64decode(QUANTILE_TEXT)[1:]).decode(),
        b64encode(b64decode(QUANTILE_TEXT) + b"\1").decode(),
        b64encode(b64decode(QUANTILE_TEXT) + b"\x80").decode(),
    ],
)
def test_text_is_refused_when_it_is_no_quantile_sketch(text: str) -> None:
    for texts in ([text], [QUANTILE_TEXT, text], [text, QUANTILE_TEXT]):
        with pytest.raises(AggregateTypeMismatch, match="no quantile sketch"):
            decode_quantile_sketches(texts)


def test_text_is_refused_when_it_is_no_distinct_sketch() -> None:
    smaller = hll_sketch(10)
    smaller.update(1)
    for text in (
        "",
        "no base64!",
        "AAAA",
        DISTINCT_TEXT[:12],
        b64encode(smaller.serialize_compact()).decode(),
    ):
        with pytest.raises(AggregateTypeMismatch, match="no distinct sketch"):
            decode_images([DISTINCT_TEXT, text])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, -0.0, 1.5, 1.5]), 2),
        (np.array([1, 2, 3, 2**63 - 1, -(2**63)]), 5),
        (np.array([1, 2**63, 2**64 - 1], np.uint64), 3),
        (np.array([True, False, True]), 2),
        (np.array(["", "a", "A", " "], object), 4),
    ],
)
def test_values_are_counted_when_a_field_has_any_type(values: np.ndarray, expected: int) -> None:
    assert estimates(sketch_values(values, WHOLE)).tolist() == [expected]


@pytest.mark.parametrize("size", [5, 200, 50_000])
def test_library_reads_our_sketches_when_they_are_merged_elsewhere(size: int) -> None:
    ours = sketch_values(np.arange(size), np.array([0, size // 2]))
    union, direct = hll_union(12), hll_sketch(12)
    for image in ours:
        union.update(hll_sketch.deserialize(image))
    for value in range(size):
        direct.update(value)
    assert union.get_estimate() == pytest.approx(size, rel=0.05)
    assert union.get_estimate() == pytest.approx(estimates(sketch_values(np.arange(size), WHOLE))[0], abs=0.5)
    assert union.get_estimate() == pytest.approx(direct.get_estimate(), rel=0.05)


def test_numbers_come_from_one_sketch_when_several_are_read() -> None:
    groups = Groups(np.arange(1000.0), np.arange(1000), np.array([0, 400]))
    columns = {
        name: compute(find_aggregate(name), groups)
        for name in ("p50_approx", "p99_approx", "quantile_sketch")
    }
    assert list(groups.sketches) == ["quantile_sketch"]
    assert columns["p99_approx"] == pytest.approx([395.01, 993.01], rel=0.01)
    back = decode_quantile_sketches(columns["quantile_sketch"])
    assert quantiles(back, 0.5).tolist() == columns["p50_approx"].tolist()


def test_sketch_is_stored_when_only_its_number_is_asked() -> None:
    rules = AggregateRules.of(["p99_approx", "p50_approx", "distinct_approx"], None)
    assert rules.names_for("x") == (
        "p99_approx",
        "quantile_sketch",
        "p50_approx",
        "distinct_approx",
        "distinct_sketch",
    )
    assert rules.owns("x_quantile_sketch")
    # an exact percentile beside it belongs to whoever writes that
    assert not rules.owns("x_p99")
    assert not AggregateRules.of(["p99", "distinct"], None).owns("x_p99_approx")
    assert not AggregateRules.of(["p99", "distinct"], None).owns("x_distinct_approx")


def test_error_names_the_extra_when_a_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_influx_rollup.aggregates.extras.find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"airflow-provider-influx-rollup\[sketches\]"):
        require_installed("datasketches")
    with pytest.raises(ConfigurationError, match="datasketches"):
        sketch_values(np.arange(3), WHOLE)
    numeric = AggregateRules.of(["p99_approx"], None).select({"x": "float"})
    assert [column.name for column in numeric.columns] == ["x_p99_approx", "x_quantile_sketch"]
    with pytest.raises(ConfigurationError, match="datasketches"):
        AggregateRules.of(["distinct_approx"], None).select({"x": "float"})


def test_text_is_one_when_zeros_have_either_sign() -> None:
    texts = {
        encode_quantile_sketches(sketch_numbers(np.array(zeros), WHOLE))[0]
        for zeros in ([0.0, -0.0], [-0.0, 0.0], [0.0, 0.0], [-0.0, -0.0])
    }
    assert len(texts) == 1
