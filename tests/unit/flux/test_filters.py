"""The text of filters; tests/live/test_flux_literals.py shows that they are pushed down."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter


def test_filters_compare_with_each_name_when_several_are_given() -> None:
    assert measurement_filter("m") == '  |> filter(fn: (r) => r["_measurement"] == "m")'
    expected = '  |> filter(fn: (r) => r["_field"] == "a" or r["_field"] == "b")'
    assert field_filter(["a", "b", "a"]) == expected


def test_tags_become_one_stage_each_when_several_are_given() -> None:
    assert tag_filter({"site": ["a", ""], 'r"ack': "x"}) == (
        '  |> filter(fn: (r) => r["site"] == "a" or r["site"] =~ /^$/)\n'
        '  |> filter(fn: (r) => r["r\\"ack"] == "x")'
    )
    assert tag_filter({}) == ""


def test_nesting_stays_flat_when_hundreds_of_values_are_given() -> None:
    text = tag_filter({"site": [str(number) for number in range(1000)]})
    assert text.count(" == ") == 1000
    depth = deepest = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    assert deepest < 10


def test_a_filter_is_refused_when_it_has_no_names_or_bad_ones() -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        tag_filter({"site": []})
    with pytest.raises(ConfigurationError, match="at least one"):
        measurement_filter([])
    with pytest.raises(InvalidName):
        tag_filter({"_field": "x"})
    with pytest.raises(InvalidName):
        field_filter("")
