"""Rules and transformations from YAML text, with the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from airflow_provider_influx_rollup.exceptions import RuleInvalid
from airflow_provider_influx_rollup.shown import shown
from airflow_provider_influx_rollup.validation.catalog import require_distinct, rule_of
from airflow_provider_influx_rollup.validation.rule import Rule
from airflow_provider_influx_rollup.validation.transformations import Transformation, transformation_of
from airflow_provider_influx_rollup.yaml_text import YamlInvalid, compose, construct, line_of

SECTIONS = ("rules", "transformations")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rules that a file declares."""

    rules: tuple[Rule, ...]
    transformations: tuple[Transformation, ...] = ()


def read_rule_file(text: str, source: str = "rules") -> RuleFile:
    """Read a list of rules, or a mapping with ``rules`` and ``transformations``.

    :param text: YAML
    :param source: what the text is called in messages, such as the file's name
    :raises RuleInvalid: with ``source`` and the line, when something in it is wrong
    """
    try:
        root = compose(text)
    except YamlInvalid as error:
        what = f"{source}, line {error.line}: {error.problem}"
        raise RuleInvalid(what, fix="correct the YAML") from error
    if isinstance(root, yaml.SequenceNode):
        return RuleFile(_rules(root, source))
    if not isinstance(root, yaml.MappingNode):
        what = f"{source}, line 1: there are no rules"
        raise RuleInvalid(what, fix="write a list of rules, or rules: and transformations:")
    sections: dict[str, yaml.Node] = {}
    for key, value in root.value:
        name = _name_of(key, source)
        if name not in SECTIONS:
            what = f"{source}, line {line_of(key)}: {shown(name)} is not a part of a rule file"
            raise RuleInvalid(what, fix=f"use {' and '.join(SECTIONS)}")
        sections[name] = value
    if "rules" not in sections:
        what = f"{source}, line {line_of(root)}: there are no rules"
        raise RuleInvalid(what, fix="write rules: and a list")
    changes = sections.get("transformations")
    made = () if changes is None else _each(changes, source, transformation_of)
    return RuleFile(_rules(sections["rules"], source), made)


def _rules(node: yaml.Node, source: str) -> tuple[Rule, ...]:
    rules = _each(node, source, rule_of)
    lines = [line_of(one) for one in node.value]
    for place in range(len(rules)):
        try:
            require_distinct(rules[: place + 1])
        except RuleInvalid as error:
            raise _placed(error, source, lines[place]) from error
    if not rules:
        what = f"{source}, line {line_of(node)}: there are no rules"
        raise RuleInvalid(what, fix="give at least one")
    return rules


def _each(node: yaml.Node, source: str, make: Callable[[Any], Made]) -> tuple[Made, ...]:
    if not isinstance(node, yaml.SequenceNode):
        what = f"{source}, line {line_of(node)}: this is not a list"
        raise RuleInvalid(what, fix="begin each entry with a dash")
    return tuple(_one(entry, source, make) for entry in node.value)


def _one(node: yaml.Node, source: str, make: Callable[[Any], Made]) -> Made:
    lines = _lines_of_keys(node, source)
    try:
        values = construct(node)
    except YamlInvalid as error:
        raise _placed(RuleInvalid(error.problem, fix="correct the YAML"), source, error.line) from error
    try:
        return make(values)
    except RuleInvalid as error:
        key = (error.parameter or "").partition("[")[0]
        raise _placed(error, source, lines.get(key, line_of(node))) from error


def _lines_of_keys(node: yaml.Node, source: str) -> dict[str, int]:
    """The line of each key; a key that is there twice would silently win over the first."""
    lines: dict[str, int] = {}
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
        name = _name_of(key, source)
        if name in lines:
            what = f"{source}, line {line_of(key)}: {shown(name)} is given twice"
            raise RuleInvalid(what, parameter=name, fix="give it once")
        lines[name] = line_of(key)
    return lines


def _name_of(key: yaml.Node, source: str) -> str:
    if not isinstance(key, yaml.ScalarNode):
        what = f"{source}, line {line_of(key)}: a list or a mapping stands where a name is expected"
        raise RuleInvalid(what, fix="write a parameter's name")
    return str(key.value)


def _placed(error: RuleInvalid, source: str, line: int) -> RuleInvalid:
    return RuleInvalid(f"{source}, line {line}: {error.what}", parameter=error.parameter, fix=error.fix)
