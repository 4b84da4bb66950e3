"""Typed binding: the syntax tree of values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval


def bound(value: object) -> dict[str, Any]:
    """The tree of one parameter."""
    file = extern_file(params={"x": value})
    properties = file["body"][0]["assignment"]["init"]["properties"]
    return properties[0]["value"]  # type: ignore[no-any-return]


def test_a_window_becomes_option_v_when_bound() -> None:
    window = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1, tzinfo=UTC))
    file = extern_file(v=window_values(window, Duration.parse("1h")))
    (option,) = file["body"]
    assert (option["type"], option["assignment"]["id"]["name"]) == ("OptionStatement", "v")
    values = {p["key"]["name"]: p["value"] for p in option["assignment"]["init"]["properties"]}
    assert values["timeRangeStart"] == {"type": "DateTimeLiteral", "value": "2024-01-01T00:00:00Z"}
    assert values["timeRangeStop"] == {"type": "DateTimeLiteral", "value": "2024-01-01T01:00:00Z"}
    assert values["windowPeriod"] == {
        "type": "DurationLiteral",
        "values": [{"magnitude": 3_600_000_000_000, "unit": "ns"}],
    }
    assert file["imports"] == []


@pytest.mark.parametrize(
    ("value", "node"),
    [
        ("a${b}", {"type": "StringLiteral", "value": "a${b}"}),
        (True, {"type": "BooleanLiteral", "value": True}),
        (-(2**63), {"type": "IntegerLiteral", "value": "-9223372036854775808"}),
        (Duration.parse("3mo"), {"type": "DurationLiteral", "values": [{"magnitude": 3, "unit": "mo"}]}),
        ([], {"type": "ArrayExpression", "elements": []}),
    ],
)
def test_a_value_becomes_its_literal_when_its_type_is_known(value: object, node: dict[str, Any]) -> None:
    assert bound(value) == node


def test_a_float_is_bound_as_parsed_text_when_given() -> None:
    node = bound(0.1)
    assert node["callee"]["name"] == "float"
    assert node["arguments"][0]["properties"][0]["value"] == {"type": "StringLiteral", "value": "0.1"}


def test_a_negative_duration_is_an_operator_when_bound() -> None:
    node = bound(timedelta(hours=-1))
    assert (node["type"], node["operator"]) == ("UnaryExpression", "-")
    assert node["argument"]["values"] == [{"magnitude": 3_600_000_000_000, "unit": "ns"}]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "params.x is a NoneType"),
        (b"x", "params.x is a bytes"),
        (Decimal(1), "params.x is a Decimal"),
        (date(2024, 1, 1), "aware datetime instead of a date"),
        ({"a"}, "sorted list instead of a set"),
        (2**63, "params.x: 9223372036854775808 does not fit"),
        (float("nan"), "params.x: nan has no Flux literal"),
        (datetime(2024, 1, 1), "params.x: the time 2024-01-01T00:00:00 has no time zone"),  # noqa: DTZ001
        ([1, "a"], "params.x mixes Integer and String"),
        ([1, 2.5], "params.x mixes Float and Integer"),
        ([[1], ["a"]], "params.x mixes"),
        ([{"a": 1}, {"b": 1}], "params.x mixes"),
        ({"deep": [{"a": None}]}, "params.x.deep[0].a is a NoneType"),
        ({1: "a"}, "params.x has the key 1"),
        ("\ud800", "params.x: the text"),
    ],
)
def test_a_value_is_refused_by_name_when_flux_has_no_such_type(value: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        extern_file(params={"x": value})
    assert message in str(caught.value)


def test_lists_are_accepted_when_their_elements_differ_only_in_sign_or_value() -> None:
    assert len(bound([timedelta(1), timedelta(-1)])["elements"]) == 2
    assert len(bound([{"a": 1, "b": "x"}, {"b": "y", "a": 2}])["elements"]) == 2
    assert len(bound([[1.0], [-2.0]])["elements"]) == 2


def test_a_key_is_a_string_when_it_is_no_identifier() -> None:
    properties = extern_file(params={"ok_1": 1, "if": 1, "a b": 1})["body"][0]["assignment"]["init"][
        "properties"
    ]
    assert [p["key"]["type"] for p in properties] == ["Identifier", "StringLiteral", "StringLiteral"]


def test_profilers_are_enabled_beside_the_script_when_asked_for() -> None:
    file = extern_file(profilers=["query"])
    assert file["imports"][0]["path"]["value"] == "profiler"
    assert file["body"][0]["assignment"]["type"] == "MemberAssignment"
    assert extern_file()["body"] == []
