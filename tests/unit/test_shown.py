"""Values and lists in messages."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.shown import counted, few, shown


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a; b"),
        (["a", "b", "c"], "a; b and 1 more"),
        (["a", "b", "c", "d"], "a; b and 2 more"),
    ],
)
def test_few_texts_are_named_and_the_others_counted(texts: list[str], expected: str) -> None:
    assert few(texts, 2) == expected


def test_few_of_a_list_that_was_cut_before_counts_all() -> None:
    assert few(["a", "b"], 2, in_all=9) == "a; b and 7 more"
    assert few(["a", "b"], 2, in_all=2) == "a; b"


def test_few_takes_what_stands_between() -> None:
    assert few(["a", "b", "c"], 2, between=", ") == "a, b and 1 more"


def test_an_integer_that_python_will_not_print_is_shown_by_its_size() -> None:
    assert shown(10**5000) == "<an integer of 16610 bits>"


def test_one_thing_is_no_plural() -> None:
    assert [counted(number, "window") for number in (0, 1, 2)] == ["0 windows", "1 window", "2 windows"]
