"""Which columns a rollup has, given rules and fields."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.exceptions import (
    AggregateTypeMismatch,
    ConfigurationError,
    UnknownAggregate,
)

TYPES = {"hum": "float", "n": "integer", "on": "boolean", "state": "string", "temp": "float", "u": "unsigned"}


def names(rules: AggregateRules) -> list[str]:
    return [column.name for column in rules.select(TYPES).columns]


def test_all_fields_get_the_aggregates_when_they_are_a_list() -> None:
    assert names(AggregateRules.of(["count"], None)) == [f"{field}_count" for field in TYPES]


def test_fields_are_restricted_when_globs_are_given() -> None:
    assert names(AggregateRules.of(["max"], ["t*", "n"])) == ["n_max", "temp_max"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["*", "!t*", "!on"], ["hum", "n", "state", "u"]),
        (["!state"], ["hum", "n", "on", "temp", "u"]),
        (["temp", "!t*"], ["temp"]),
        (["[nu]", "!u"], ["n"]),
    ],
)
def test_fields_are_taken_away_when_a_glob_begins_with_a_bang(fields: list[str], expected: list[str]) -> None:
    rules = AggregateRules.of(["count"], fields)
    assert names(rules) == [f"{field}_count" for field in expected]
    assert [field for field in TYPES if rules.owns(f"{field}_count")] == expected


def test_taken_away_fields_stay_away_when_a_mapping_names_the_rest() -> None:
    assert names(AggregateRules.of({"n": ["sum"], "*": ["count"]}, ["!t*", "!hum"])) == [
        "n_sum",
        "on_count",
        "state_count",
        "u_count",
    ]
    assert AggregateRules.of(["count"], ["a", "!b"]).exact_fields() == ["a"]
    with pytest.raises(ConfigurationError, match="'!'"):
        AggregateRules.of(["count"], ["!"])


def test_exact_name_wins_when_a_glob_comes_first() -> None:
    rules = AggregateRules.of({"*": ["last"], "temp": ["mean", "p99"]}, None)
    assert [name for name in names(rules) if name.startswith("temp")] == ["temp_mean", "temp_p99"]


def test_mapping_is_restricted_when_fields_are_given_too() -> None:
    rules = AggregateRules.of({"temp": ["mean"], "*": ["last"]}, ["temp", "on"])
    assert names(rules) == ["on_last", "temp_mean"]


def test_field_without_rule_is_refused_when_it_is_selected() -> None:
    with pytest.raises(ConfigurationError, match="'hum'"):
        AggregateRules.of({"temp": ["mean"]}, ["hum"])


def test_types_that_do_not_fit_are_left_out_when_a_glob_takes_them() -> None:
    selection = AggregateRules.of(["mean", "last"], None).select(TYPES)
    assert selection.skipped == ("mean of on (boolean)", "mean of state (string)")
    assert "state_last" in [column.name for column in selection.columns]


def test_type_that_does_not_fit_is_refused_when_the_field_is_named() -> None:
    with pytest.raises(AggregateTypeMismatch, match="mean of field 'state'"):
        AggregateRules.of({"state": ["mean"]}, None).select(TYPES)


def test_selection_is_refused_when_nothing_fits() -> None:
    with pytest.raises(AggregateTypeMismatch, match="no aggregate is possible"):
        AggregateRules.of({"s*": ["mean"]}, None).select(TYPES)


def test_selection_is_empty_when_there_are_no_fields() -> None:
    assert AggregateRules.of(["mean"], None).select({}).columns == ()


@pytest.mark.parametrize("aggregates", [[], {}, {"temp": []}])
def test_rules_are_refused_when_nothing_is_asked_for(aggregates: object) -> None:
    with pytest.raises(ConfigurationError):
        AggregateRules.of(aggregates, None)  # type: ignore[arg-type]


def test_rules_are_refused_when_an_aggregate_is_unknown() -> None:
    with pytest.raises(UnknownAggregate, match="'avg'"):
        AggregateRules.of({"temp": ["avg"]}, None)


@pytest.mark.parametrize(
    ("field", "owned"),
    [
        ("temp_mean", True),
        ("temp_p99.9", True),
        ("hum_last", True),
        ("hum_mean", False),
        ("temp_last", False),
        ("temp", False),
        ("_mean", False),
        ("a_b_last", True),
        ("temp_mean_last", True),
    ],
)
def test_target_field_is_owned_when_a_rule_could_write_it(field: str, owned: bool) -> None:
    rules = AggregateRules.of({"temp": ["mean", "p99.9"], "*": ["last"]}, None)
    assert rules.owns(field) is owned


def test_names_with_glob_characters_match_themselves_when_they_are_named() -> None:
    rules = AggregateRules.of({"a[1]": ["last"]}, None)
    assert [column.name for column in rules.select({"a[1]": "float", "a1": "float"}).columns] == [
        "a1_last",
        "a[1]_last",
    ]


@pytest.mark.parametrize(
    ("aggregates", "fields", "expected"),
    [
        (["count"], None, []),
        (["count"], ["temp", "tmep", "hu*", "hm*", "!nothing"], ["tmep", "hm*"]),
        ({"temp": ["sum"], "tmep": ["sum"], "*_text": ["last"]}, None, ["tmep", "*_text"]),
        # of measurements that have no such field nothing is wrong
        ({"tmep": ["sum"], "*_text": ["last"], "*": ["count"]}, None, []),
    ],
)
def test_names_that_stand_for_no_field_are_found(
    aggregates: list[str] | dict[str, list[str]], fields: list[str] | None, expected: list[str]
) -> None:
    assert AggregateRules.of(aggregates, fields).unmatched(TYPES) == expected
