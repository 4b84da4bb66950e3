from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, RuleInvalid
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import RULES, rule_of, rules_of
from airflow_provider_influx_rollup.validation.rule_file import read_rule_file
from airflow_provider_influx_rollup.validation.transformations import TRANSFORMATIONS, transformations_of
from airflow_provider_influx_rollup.validation.value_rules import RangeRule

#: one of each, with every parameter that has no default
EXAMPLES: dict[str, dict[str, Any]] = {
    "schema": {"fields": {"temp": "float"}, "tags": ["device"]},
    "field_type": {"lookback": "7d"},
    "range": {"field": "temp", "low": -40, "high": 85.5},
    "allowed_values": {"field": "state", "values": ["on", "off", 1, True]},
    "pattern": {"field": "state", "pattern": "o(n|ff)"},
    "allowed_tag_values": {"tag": "site", "values": ["a", "b"]},
    "tag_pattern": {"tag": "device", "pattern": "d[0-9]+"},
    "missing_field": {"field": "humidity"},
    "finite": {"field": "*"},
    "stuck": {"field": "temp", "points": 10},
    "spike": {"field": "temp", "max_change": 5, "per": "1m"},
    "monotonic": {"field": "total", "reset_to": 0},
    "cadence": {"every": "10s"},
    "volume": {"weeks": 2, "timezone": "Europe/Berlin"},
    "freshness": {"max_age": "10m"},
    "expected_series": {"series": [{"device": "a"}], "retire_after": "3d", "group_by": ["device"]},
    "duplicate_series": {},
    "cardinality": {"max_growth": 0.1},
    "future": {"max_ahead": "5m"},
    "late_points": {"field": "received", "max_delay": "5m", "tolerance": 0.01},
    "late_share": {"pipeline": "temp_1h", "max_share": 0.01},
}
CHANGES: dict[str, dict[str, Any]] = {
    "rename_tag": {"tag": "Site", "to": "site"},
    "map_tag": {"tag": "site", "values_to": {"a": "b"}, "strip": True, "case": "lower"},
    "rename_field": {"field": "t", "to": "temp"},
    "scale_field": {"field": "temp", "factor": 1.8, "offset": 32},
    "convert_field": {"field": "temp", "to": "float"},
}
#: parameters that are not possible, and the one that the message names
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rule": "rangee", "field": "temp"}, "rule"),
    ({"field": "temp"}, "rule"),
    ({"rule": "range"}, "rule"),
    ({"rule": "range", "field": "temp", "hihg": 5}, "hihg"),
    ({"rule": "range", "field": "temp"}, "low"),
    ({"rule": "range", "field": "temp", "low": 10, "high": 5}, "low"),
    ({"rule": "range", "field": "temp", "low": "cold"}, "low"),
    ({"rule": "range", "field": "temp", "low": True}, "low"),
    ({"rule": "range", "field": "temp", "high": float("nan")}, "high"),
    ({"rule": "range", "field": 7, "high": 5}, "field"),
    ({"rule": "range", "field": "temp", "high": 5, "severity": "fatal"}, "severity"),
    ({"rule": "range", "field": "temp", "high": 5, "tolerance": 1.5}, "tolerance"),
    ({"rule": "range", "field": "temp", "high": 5, "name": "a\nb"}, "name"),
    ({"rule": "range", "field": "temp", "high": 5, "where": ["site"]}, "where"),
    ({"rule": "range", "field": "temp", "high": 5, "where": {"site": 7}}, "where[site]"),
    ({"rule": "allowed_values", "field": "state", "values": "on"}, "values"),
    ({"rule": "allowed_values", "field": "state", "values": [None]}, "values"),
    ({"rule": "pattern", "field": "state", "pattern": "("}, "pattern"),
    ({"rule": "allowed_tag_values", "tag": "site", "values": []}, "values"),
    ({"rule": "tag_pattern", "tag": "", "pattern": "a"}, "tag"),
    ({"rule": "schema"}, "fields"),
    ({"rule": "schema", "fields": {"temp": "double"}}, "fields[temp]"),
    ({"rule": "schema", "fields": ["temp"]}, "fields"),
    ({"rule": "schema", "tags": ["a"], "other_tags": "no"}, "other_tags"),
    ({"rule": "field_type", "type": "text"}, "type"),
    ({"rule": "field_type", "lookback": "1mo"}, "lookback"),
    ({"rule": "missing_field", "field": "a", "empty_text": 1}, "empty_text"),
    ({"rule": "finite", "field": "a", "texts": [1]}, "texts"),
    ({"rule": "stuck", "field": "temp", "points": 1}, "points"),
    ({"rule": "stuck", "field": "temp", "points": 5.0}, "points"),
    ({"rule": "spike", "field": "temp", "max_change": -1, "per": "1m"}, "max_change"),
    ({"rule": "spike", "field": "temp", "max_change": 1, "per": "1 minute"}, "per"),
    ({"rule": "monotonic", "field": "total", "strict": "yes"}, "strict"),
    ({"rule": "cadence", "every": "0s"}, "every"),
    ({"rule": "cadence", "every": "1s", "min_share": 2}, "max_share"),
    ({"rule": "volume", "weeks": 0}, "weeks"),
    ({"rule": "volume", "min_ratio": 3}, "max_ratio"),
    ({"rule": "volume", "timezone": "Mars"}, "timezone"),
    ({"rule": "volume", "timezone": None}, "timezone"),
    ({"rule": "volume", "where": {"site": "a"}}, "where"),
    ({"rule": "freshness", "max_age": None}, "max_age"),
    ({"rule": "expected_series", "series": "all"}, "series"),
    ({"rule": "expected_series", "series": []}, "series"),
    ({"rule": "expected_series", "series": ["d1"]}, "series"),
    ({"rule": "expected_series", "series": {"fluks": ""}}, "series"),
    ({"rule": "expected_series", "retired": [{"device": 7}]}, "retired"),
    ({"rule": "expected_series", "retire_after": "x"}, "retire_after"),
    ({"rule": "cardinality"}, "max_series"),
    ({"rule": "cardinality", "max_series": 0}, "max_series"),
    ({"rule": "future", "max_ahead": "-5m"}, "max_ahead"),
    ({"rule": "late_points", "field": "r", "max_delay": "5m", "time_unit": "h"}, "time_unit"),
    ({"rule": "late_share", "pipeline": "p", "max_share": 7}, "max_share"),
]


def test_every_rule_and_change_has_an_example_when_the_catalog_lists_it() -> None:
    assert EXAMPLES.keys() == RULES.keys()
    assert CHANGES.keys() == TRANSFORMATIONS.keys()


def test_spec_is_the_same_when_it_travels_as_json() -> None:
    rules = rules_of([{"rule": name, "where": {}, **values} for name, values in EXAMPLES.items()])
    changes = transformations_of([{"transform": name, **values} for name, values in CHANGES.items()])
    spec = ValidateSpec(
        bucket="raw",
        measurement="m",
        rules=rules,
        tags={"site": ("a",)},
        fields=("t*",),
        quarantine_bucket="q",
        clean_bucket="c",
        transformations=changes,
    )
    assert ValidateSpec.from_json(json.loads(json.dumps(spec.as_json()))) == spec


def test_names_say_the_rule_and_what_it_is_about_when_none_is_given() -> None:
    assert rule_of({"rule": "range", **EXAMPLES["range"]}).name == "range:temp"
    assert (
        rule_of({"rule": "allowed_tag_values", **EXAMPLES["allowed_tag_values"]}).name
        == "allowed_tag_values:site"
    )
    assert RangeRule(field="temp", low=0, name="not frozen").name == "not frozen"


@pytest.mark.parametrize(("values", "parameter"), WRONG, ids=str)
def test_rule_is_refused_with_its_parameter_when_it_is_not_possible(
    values: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(RuleInvalid) as caught:
        rule_of(values)
    assert caught.value.parameter == parameter
    assert caught.value.permanent
    assert caught.value.fix


def test_place_in_the_list_is_told_when_a_rule_is_wrong() -> None:
    good = {"rule": "future"}
    with pytest.raises(RuleInvalid, match=r"rule number 2: rule 'range': low=9 is more than high=1"):
        rules_of([good, {"rule": "range", "field": "temp", "low": 9, "high": 1}])
    with pytest.raises(RuleInvalid, match="two rules are called 'future'"):
        rules_of([good, good])
    with pytest.raises(RuleInvalid, match="no rules"):
        rules_of([])
    with pytest.raises(RuleInvalid, match=r"transformation number 1: .*parameter 'tags'"):
        transformations_of([{"transform": "rename_tag", "tags": "a"}])


FILE = """\
# what the sensors promise
rules:
  - rule: range
    field: temp
    low: -40
    high: 85
  - rule: stuck
    field: temp
    points: {points}
transformations:
  - transform: scale_field
    field: temp
    {key}: 1.8
"""


def test_rules_and_changes_are_read_when_a_file_declares_them() -> None:
    found = read_rule_file(FILE.format(points=10, key="factor"))
    assert found.rules == rules_of(
        [
            {"rule": "range", "field": "temp", "low": -40, "high": 85},
            {"rule": "stuck", "field": "temp", "points": 10},
        ]
    )
    assert found.transformations == transformations_of(
        [{"transform": "scale_field", "field": "temp", "factor": 1.8}]
    )
    assert read_rule_file("- rule: future\n").rules == rules_of([{"rule": "future"}])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (FILE.format(points=1, key="factor"), 9, "points=1 is not possible"),
        (FILE.format(points="[", key="factor"), 11, "expected the node content"),
        (FILE.format(points=10, key="fcator"), 13, "no parameter 'fcator'"),
        ("- rule: range\n  field: temp\n  low: 9\n  high: 1\n", 3, "low=9 is more than high=1"),
        ("- rule: range\n  field: temp\n- rule: rangee\n", 1, "low=None"),
        ("- rule: future\n- rule: rangee\n", 2, "no rule 'rangee'"),
        ("- rule: future\n- max_ahead: 5m\n", 2, "does not name its rule"),
        ("- rule: future\n\n\n- rule: future\n", 4, "two rules are called 'future'"),
        ("- rule: range\n  field: temp\n  low: 1\n  low: 2\n", 4, "'low' is given twice"),
        ("- rule: schema\n  fields:\n    temp: double\n", 2, "fields[temp]='double'"),
        ("rules:\n  rule: future\n", 2, "not a list"),
        ("rules: []\n", 1, "there are no rules"),
        ("", 1, "there are no rules"),
        ("rule:\n  - rule: future\n", 1, "not a part of a rule file"),
        ("- future\n", 1, "'future' is not a rule"),
        (
            "- rule: future\n  max_ahead: !!python/object:os.system x\n",
            2,
            "could not determine a constructor",
        ),
    ],
)
def test_file_and_line_are_told_when_a_file_is_wrong(text: str, line: int, what: str) -> None:
    with pytest.raises(RuleInvalid) as caught:
        read_rule_file(text, "rules/temp.yaml")
    assert str(caught.value).startswith(f"rules/temp.yaml, line {line}: ")
    assert what in str(caught.value)


@pytest.mark.parametrize(
    "places",
    [
        {"quarantine_bucket": "raw"},
        {"quarantine_bucket": "rollup_ledger"},
        {"clean_bucket": "raw"},
        {"clean_bucket": "rollup_ledger"},
        {"clean_bucket": "c", "quarantine_bucket": "c"},
        {"clean_measurement": "other"},
        {"transformations": transformations_of([{"transform": "rename_tag", "tag": "a", "to": "b"}])},
    ],
    ids=str,
)
def test_buckets_are_refused_when_one_would_be_two_things(places: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="bucket"):
        ValidateSpec(bucket="raw", measurement="m", rules=rules_of([{"rule": "future"}]), **places)
