"""Checksums: the same for the same rows in any order, another one for any changed bit."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.fingerprint import (
    checksums_by_group,
    hash_texts,
    row_hashes,
    tag_set_hash,
)

Row = tuple[str, str, int, Any]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["x", "y"]),
        st.integers(0, 2**62),
        st.floats(allow_nan=False),
    ),
    min_size=1,
    max_size=20,
)


def checksum(rows: list[Row], dtype: Any = np.float64) -> str:
    series = np.array([tag_set_hash("m", {"device": row[0]}) for row in rows], np.uint64)
    fields = hash_texts([row[1] for row in rows], "field")
    times = np.array([row[2] for row in rows], np.int64)
    hashes = row_hashes(series, fields, times, np.array([row[3] for row in rows], dtype))
    return checksums_by_group(hashes, np.zeros(len(rows), np.int64), 1)[0]


@given(ROWS, st.randoms())
def test_checksum_is_the_same_when_rows_come_in_another_order(rows: list[Row], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert checksum(shuffled) == checksum(rows)


@given(ROWS, st.integers(0, 19))
def test_checksums_of_parts_add_up_when_rows_are_cut(rows: list[Row], cut: int) -> None:
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    assert combine_checksums(checksum(part) for part in parts) == checksum(rows)


@given(ROWS, st.integers(0, 19), st.integers(0, 63))
def test_checksum_changes_when_one_bit_of_one_value_does(rows: list[Row], position: int, bit: int) -> None:
    position %= len(rows)
    series, field, time, value = rows[position]
    bits = struct.unpack("<Q", struct.pack("<d", value))[0] ^ (1 << bit)
    changed = list(rows)
    changed[position] = (series, field, time, struct.unpack("<d", struct.pack("<Q", bits))[0])
    assert checksum(changed) != checksum(rows)


@given(ROWS, st.integers(0, 19), st.sampled_from([0, 1, 2]))
def test_checksum_changes_when_a_series_a_field_or_a_time_does(
    rows: list[Row], position: int, part: int
) -> None:
    position %= len(rows)
    row = list(rows[position])
    row[part] = row[part] + 1 if part == 2 else row[part] + "'"
    assert checksum([*rows[:position], tuple(row), *rows[position + 1 :]]) != checksum(rows)  # type: ignore[list-item]


@given(ROWS, st.integers(0, 19), st.integers(0, 19))
def test_checksum_changes_when_two_rows_swap_their_values(rows: list[Row], one: int, other: int) -> None:
    one, other = one % len(rows), other % len(rows)
    first, second = rows[one], rows[other]
    assume(first[:3] != second[:3] and repr(first[3]) != repr(second[3]))
    changed = list(rows)
    changed[one], changed[other] = (*first[:3], second[3]), (*second[:3], first[3])
    assert checksum(changed) != checksum(rows)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], np.int64),
        ([1, 2], np.uint64),
        ([1.0, 2.0], np.float64),
        ([True, False], bool),
        (["1", "2"], object),
    ],
)
def test_checksum_differs_when_values_differ_in_any_type(values: list[Any], dtype: Any) -> None:
    one, other = ([("a", "x", 5, value)] for value in values)
    assert checksum(one, dtype) != checksum(other, dtype)


def test_checksum_differs_when_the_type_does() -> None:
    row = ("a", "x", 5)
    kinds = [((*row, 1), np.int64), ((*row, 1.0), np.float64), ((*row, True), bool), ((*row, "1"), object)]
    assert len({checksum([values], dtype) for values, dtype in kinds}) == 4


def test_zero_and_minus_zero_differ_when_they_are_stored() -> None:
    assert checksum([("a", "x", 5, 0.0)]) != checksum([("a", "x", 5, -0.0)])


@given(st.dictionaries(st.text("ab\0\1=,", max_size=3), st.text("ab\0\1=,", max_size=3), max_size=3))
def test_tag_set_has_one_hash_when_keys_come_in_another_order(tags: dict[str, str]) -> None:
    assert tag_set_hash("m", tags) == tag_set_hash("m", dict(reversed(list(tags.items()))))
    assert tag_set_hash("m", tags) != tag_set_hash("m2", tags)


def test_rows_belong_to_their_group_when_there_are_several() -> None:
    hashes = np.array([1, 2, 2**64 - 1], np.uint64)
    assert checksums_by_group(hashes, np.array([1, 0, 1]), 3) == [f"{2:016x}", f"{0:016x}", f"{0:016x}"]
