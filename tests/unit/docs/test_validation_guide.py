"""The guide of validation against the rules and transformations there are."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
import yaml

from airflow_provider_influx_rollup.validation.catalog import RULES
from airflow_provider_influx_rollup.validation.rule import Rule
from airflow_provider_influx_rollup.validation.rule_file import read_rule_file
from airflow_provider_influx_rollup.validation.transformations import TRANSFORMATIONS
from tests.scenes.doc_blocks import CHECKOUT, Block, blocks

PAGE = CHECKOUT / "docs/howto/validate.md"
TEXT = PAGE.read_text()
FILES = [block for block in blocks("yaml") if block.page == PAGE]
SHARED = {one.name for one in fields(Rule)}


def section(rule: str) -> str:
    return re.split(r"^##", TEXT.partition(f"### `{rule}`\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_rule_has_its_section_when_the_guide_lists_them() -> None:
    assert re.findall(r"^### `(\w+)`$", TEXT, re.MULTILINE) == list(RULES)
    assert (
        set(re.findall(r"^\| `(\w+)` \|", TEXT.partition("## The rules one by one")[0], re.MULTILINE))
        >= SHARED
    )


@pytest.mark.parametrize("rule", RULES)
def test_section_has_an_example_with_each_parameter_when_a_rule_is_described(rule: str) -> None:
    (block,) = [block for block in FILES if block.text in section(rule)]
    read_rule_file(block.text)
    shown = [entry for entry in yaml.safe_load(block.text) if entry["rule"] == rule]
    own = {one.name for one in fields(RULES[rule])} - SHARED
    assert own - {key for entry in shown for key in entry} == set()


@pytest.mark.parametrize("block", FILES, ids=str)
def test_example_is_read_when_the_guide_shows_it(block: Block) -> None:
    assert read_rule_file(block.text).rules


def test_every_transformation_is_told_with_its_parameters_when_the_guide_lists_them() -> None:
    table = TEXT.partition("| Transformation |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
    assert rows.keys() == TRANSFORMATIONS.keys()
    for name, cls in TRANSFORMATIONS.items():
        words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", rows[name]))))
        assert {one.name for one in fields(cls)} - words == set(), name


def test_rules_of_the_example_are_read_when_its_file_is() -> None:
    example = (CHECKOUT / "example_dags/rules/telemetry.yaml").read_text()
    assert len(read_rule_file(example).rules) == 8
