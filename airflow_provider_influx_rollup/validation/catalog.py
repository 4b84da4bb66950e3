"""The catalog of rules, and rules from plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from airflow_provider_influx_rollup.exceptions import RuleInvalid
from airflow_provider_influx_rollup.shown import shown
from airflow_provider_influx_rollup.validation.inventory_rules import ExpectedSeriesRule
from airflow_provider_influx_rollup.validation.presence_rules import MissingFieldRule
from airflow_provider_influx_rollup.validation.rule import Rule
from airflow_provider_influx_rollup.validation.schema_rules import (
    AllowedTagValuesRule,
    FieldTypeRule,
    SchemaRule,
    TagPatternRule,
)
from airflow_provider_influx_rollup.validation.sequence_rules import MonotonicRule, SpikeRule, StuckRule
from airflow_provider_influx_rollup.validation.series_rules import CardinalityRule, DuplicateSeriesRule
from airflow_provider_influx_rollup.validation.time_rules import FutureRule, LatePointsRule, LateShareRule
from airflow_provider_influx_rollup.validation.value_rules import (
    AllowedValuesRule,
    FiniteRule,
    PatternRule,
    RangeRule,
)
from airflow_provider_influx_rollup.validation.volume_rules import CadenceRule, FreshnessRule, VolumeRule

RULES: dict[str, type[Rule]] = {
    cls.rule: cls
    for cls in (
        SchemaRule,
        FieldTypeRule,
        RangeRule,
        AllowedValuesRule,
        PatternRule,
        AllowedTagValuesRule,
        TagPatternRule,
        MissingFieldRule,
        FiniteRule,
        StuckRule,
        SpikeRule,
        MonotonicRule,
        CadenceRule,
        VolumeRule,
        FreshnessRule,
        ExpectedSeriesRule,
        DuplicateSeriesRule,
        CardinalityRule,
        FutureRule,
        LatePointsRule,
        LateShareRule,
    )
}


def rule_of(values: Any) -> Rule:
    """A rule from a rule, or from plain values such as ``{"rule": "range", "field": "temp", "high": 85}``.

    :raises RuleInvalid: when there is no such rule or parameter, one is missing, or one is not possible
    """
    if isinstance(values, Rule):
        return values
    if not isinstance(values, Mapping):
        what = f"{shown(values)} is not a rule"
        raise RuleInvalid(what, fix='give a rule, or {"rule": "<name>", ...}')
    given = dict(values)
    name = given.pop("rule", None)
    cls = RULES.get(name) if isinstance(name, str) else None
    if cls is None:
        what = (
            f"there is no rule {shown(name)}"
            if name is not None
            else f"{shown(given)} does not name its rule"
        )
        raise RuleInvalid(what, parameter="rule", fix=f"use one of {', '.join(RULES)}")
    known = {one.name: one for one in fields(cls)}
    for key in given:
        if key not in known:
            what = f"rule {name!r} has no parameter {shown(key)}"
            raise RuleInvalid(what, parameter=str(key), fix=f"it has {', '.join(known)}")
    for key, one in known.items():
        if key not in given and one.default is MISSING and one.default_factory is MISSING:
            what = f"rule {name!r} lacks {key}"
            raise RuleInvalid(what, parameter="rule", fix=f"give {key}")
    return cls(**given)


def rules_of(values: Iterable[Any]) -> tuple[Rule, ...]:
    """Rules from rules or plain values, each with a name of its own.

    :raises RuleInvalid: when one is not possible, with its place in the list, or two have one name
    """
    if isinstance(values, Mapping | str) or not isinstance(values, Iterable):
        what = f"{shown(values)} is not a list of rules"
        raise RuleInvalid(what, fix="give a list")
    rules = []
    for place, one in enumerate(values, start=1):
        try:
            rules.append(rule_of(one))
        except RuleInvalid as error:
            what = f"rule number {place}: {error.what}"
            raise RuleInvalid(what, parameter=error.parameter, fix=error.fix) from error
    require_distinct(rules)
    return tuple(rules)


def require_distinct(rules: Sequence[Rule]) -> None:
    """Results and quarantined points are kept by the rule's name.

    :raises RuleInvalid: when two rules have one, or there is no rule
    """
    if not rules:
        what = "there are no rules"
        raise RuleInvalid(what, fix="give at least one")
    twice = [name for name, count in Counter(rule.name for rule in rules).items() if count > 1]
    if twice:
        what = f"two rules are called {twice[0]!r}"
        raise RuleInvalid(what, parameter="name", fix="give them a name= each")
