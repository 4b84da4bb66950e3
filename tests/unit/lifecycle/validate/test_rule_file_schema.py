from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from airflow_provider_influx_rollup.exceptions import RuleInvalid
from airflow_provider_influx_rollup.lifecycle.validate.rule_file_schema import rule_file_schema
from airflow_provider_influx_rollup.validation.rule_file import read_rule_file
from tests.scenes.doc_blocks import CHECKOUT, Block, blocks

SCHEMA = rule_file_schema()
EDITOR = Draft202012Validator(SCHEMA)
RANGE: dict[str, Any] = {"rule": "range", "field": "temp", "low": -40, "high": 85.5}
RENAME = {"transform": "rename_tag", "tag": "Site", "to": "site"}
SHOWN = [block for block in blocks("yaml") if block.page.name == "validate.md"]


def is_read(values: Any) -> bool:
    try:
        read_rule_file(json.dumps(values))
    except RuleInvalid:
        return False
    return True


def test_published_schema_is_that_of_the_rules() -> None:
    published = json.loads((CHECKOUT / "docs/reference/rules.schema.json").read_text())
    assert published == SCHEMA, "influx-rollup schema --rules > docs/reference/rules.schema.json"
    Draft202012Validator.check_schema(SCHEMA)


def test_every_rule_and_parameter_is_described_when_an_editor_shows_it() -> None:
    assert len(SCHEMA["$defs"]) > 20
    lacking = [
        (name, key)
        for name, part in SCHEMA["$defs"].items()
        for key, one in part["properties"].items()
        if not part["description"] or not ("const" in one or one["description"])
    ]
    assert lacking == []


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_rules_fit_the_schema_when_a_page_shows_them(block: Block) -> None:
    assert [error.message for error in EDITOR.iter_errors(yaml.safe_load(block.text))] == []


def test_rules_of_the_example_fit_the_schema() -> None:
    assert EDITOR.is_valid(yaml.safe_load((CHECKOUT / "example_dags/rules/telemetry.yaml").read_text()))


@pytest.mark.parametrize(
    ("values", "is_right"),
    [
        ([RANGE], True),
        ({"rules": [RANGE]}, True),
        ({"rules": [RANGE], "transformations": [RENAME]}, True),
        ([RANGE | {"severity": "warning", "tolerance": 0.1, "where": {"site": ["a"]}}], True),
        ([{"rule": "spike", "field": "t", "max_change": 3, "per": "1m"}], True),
        ([], False),
        ({"transformations": [RENAME]}, False),
        ({"rules": [RANGE], "more": 1}, False),
        ("range", False),
        ([{"rule": "rang", "field": "temp"}], False),
        ([{"field": "temp"}], False),
        ([{"rule": "range", "low": 1}], False),
        ([RANGE | {"hihg": 85}], False),
        ([RANGE | {"severity": "fatal"}], False),
        ([RANGE | {"low": "cold"}], False),
        ([RANGE | {"where": ["site"]}], False),
        ({"rules": [RANGE], "transformations": [{"transform": "rename_tag", "tag": "Site"}]}, False),
        ({"rules": [RANGE], "transformations": [RENAME | {"transform": "rename"}]}, False),
    ],
)
def test_editor_marks_what_the_reader_refuses(values: Any, is_right: bool) -> None:
    assert (EDITOR.is_valid(values), is_read(values)) == (is_right, is_right)
