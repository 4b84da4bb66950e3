"""Rules about fields, types and tags, from what InfluxDB counts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from airflow_provider_influx_rollup.globs import is_match
from airflow_provider_influx_rollup.validation.checks import (
    refuse,
    require_choice,
    require_duration,
    require_pattern,
    require_text,
    require_texts,
    require_truth,
)
from airflow_provider_influx_rollup.validation.rule import SeriesRule
from airflow_provider_influx_rollup.validation.sightings import (
    TYPES,
    Look,
    Observations,
    RuleVerdict,
    Scope,
    Sighting,
    label,
    points_of,
)
from airflow_provider_influx_rollup.windows.duration import DurationLike
from airflow_provider_influx_rollup.windows.interval import Interval

TYPE_NAMES = ("float", "integer", "unsigned", "boolean", "string")
MISSING = "a series lacks the tag"


@dataclass(frozen=True, kw_only=True)
class SchemaRule(SeriesRule):
    """The fields, their types and the tags that a measurement has.

    :param fields: type of each field, ``float``, ``integer``, ``unsigned``, ``boolean`` or ``string``; all must be there
    :param tags: tag keys that each series must have
    :param other_fields: whether fields that are not listed are right
    :param other_tags: whether tags that are not listed are right
    """

    rule: ClassVar[str] = "schema"

    fields: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    other_fields: bool = True
    other_tags: bool = True

    def check(self) -> None:
        """Something to compare with."""
        if not isinstance(self.fields, Mapping):
            raise refuse(self.rule, "fields", self.fields, "is not a mapping", "give {field: type}")
        for name, kind in self.fields.items():
            require_choice(self.rule, f"fields[{name}]", kind, TYPE_NAMES)
        object.__setattr__(self, "fields", dict(self.fields))
        object.__setattr__(self, "tags", require_texts(self.rule, "tags", self.tags) if self.tags else ())
        for name in ("other_fields", "other_tags"):
            require_truth(self.rule, name, getattr(self, name))
        if not self.fields and not self.tags:
            raise refuse(
                self.rule, "fields", self.fields, "and no tags expect nothing", "give fields, tags or both"
            )

    def judge(self, seen: Observations) -> RuleVerdict:
        """Compare each series and field."""
        mine = seen.mine(self)
        verdict = RuleVerdict(points_of(mine))
        for sighting in mine:
            for reason in self._reasons(sighting):
                verdict.add([sighting], reason)
        there = {sighting.field for sighting in mine}
        verdict.findings += [f"no point of field {name!r}" for name in self.fields if name not in there]
        return verdict

    def _reasons(self, sighting: Sighting) -> list[str]:
        name, kind = sighting.field, sighting.kind
        keys = {key for key, _ in sighting.tags}
        reasons = []
        if name in self.fields and kind != self.fields[name]:
            reasons.append(f"field {name!r} is {kind}, not {self.fields[name]}")
        if name not in self.fields and self.fields and not self.other_fields:
            reasons.append(f"field {name!r} is unknown")
        reasons += [f"{MISSING} {key!r}: {label(sighting.tags)}" for key in self.tags if key not in keys]
        if self.tags and not self.other_tags:
            reasons += [f"tag {key!r} is unknown" for key in sorted(keys - set(self.tags))]
        return reasons


@dataclass(frozen=True, kw_only=True)
class FieldTypeRule(SeriesRule):
    """A field keeps its type. InfluxDB lets it change between two shard groups, and then loses points of a read over both.

    :param field: a field's name or a glob
    :param type: the right type; None takes that of the first points, before the interval if ``lookback`` is given
    :param lookback: how far before the interval to look for the type that the field had, a Flux duration
    """

    rule: ClassVar[str] = "field_type"
    named_by: ClassVar[tuple[str, ...]] = ("field",)

    field: str = "*"
    type: str | None = None
    lookback: DurationLike | None = None

    def check(self) -> None:
        """A type that there is."""
        require_text(self.rule, "field", self.field)
        if self.type is not None:
            require_choice(self.rule, "type", self.type, TYPE_NAMES)
        if self.lookback is not None:
            require_duration(self.rule, "lookback", self.lookback)

    def looks(self, scope: Scope) -> list[Look]:
        """The types before the interval."""
        if self.lookback is None or self.type is not None:
            return []
        length = require_duration(self.rule, "lookback", self.lookback).timedelta
        start = scope.interval.start
        return [Look(what=TYPES, interval=Interval(start - length, start))]

    def judge(self, seen: Observations) -> RuleVerdict:
        """Compare the type of each part with the right one."""
        mine = [sighting for sighting in seen.mine(self) if self._is_about(sighting.field)]
        right = self._right_types(seen, mine)
        verdict = RuleVerdict(points_of(mine))
        wrong: dict[str, list[Sighting]] = defaultdict(list)
        for sighting in mine:
            expected = right[sighting.field]
            if sighting.kind != expected:
                reason = f"field {sighting.field!r} is {sighting.kind} in {sighting.part}, not {expected}"
                wrong[reason].append(sighting)
        for reason, sightings in wrong.items():
            verdict.add(sightings, reason)
        return verdict

    def _is_about(self, name: str) -> bool:
        return is_match(self.field, name)

    def _right_types(self, seen: Observations, mine: Sequence[Sighting]) -> dict[str, str]:
        if self.type is not None:
            return dict.fromkeys((sighting.field for sighting in mine), self.type)
        right: dict[str, str] = {}
        # the newest type before the interval counts, inside of it the oldest
        for look in self.looks(seen.scope):
            for sighting in sorted(seen.answers[look], key=lambda one: one.part):
                right[sighting.field] = sighting.kind
        for sighting in sorted(mine, key=lambda one: one.part):
            right.setdefault(sighting.field, sighting.kind)
        return right


@dataclass(frozen=True, kw_only=True)
class AllowedTagValuesRule(SeriesRule):
    """A tag has one of some values.

    :param tag: its key
    :param values: the values; ``""`` means that a series may lack the tag
    """

    rule: ClassVar[str] = "allowed_tag_values"
    named_by: ClassVar[tuple[str, ...]] = ("tag",)

    tag: str
    values: Sequence[str]

    def check(self) -> None:
        """A tag and values."""
        require_text(self.rule, "tag", self.tag)
        object.__setattr__(self, "values", require_texts(self.rule, "values", self.values))

    def judge(self, seen: Observations) -> RuleVerdict:
        """Look at the tag of each series."""
        return judge_tag(self, self.tag, seen, lambda value: value in self.values)


@dataclass(frozen=True, kw_only=True)
class TagPatternRule(SeriesRule):
    """A tag's values match a regular expression from begin to end.

    :param tag: its key; a series without it has ``""``
    :param pattern: in Python's syntax
    """

    rule: ClassVar[str] = "tag_pattern"
    named_by: ClassVar[tuple[str, ...]] = ("tag",)

    tag: str
    pattern: str

    def check(self) -> None:
        """A tag and an expression."""
        require_text(self.rule, "tag", self.tag)
        require_pattern(self.rule, "pattern", self.pattern)

    def judge(self, seen: Observations) -> RuleVerdict:
        """Look at the tag of each series."""
        matches = re.compile(self.pattern).fullmatch
        return judge_tag(self, self.tag, seen, lambda value: matches(value) is not None)


def judge_tag(rule: SeriesRule, tag: str, seen: Observations, is_right: Callable[[str], bool]) -> RuleVerdict:
    """The series whose tag has a wrong value."""
    mine = seen.mine(rule)
    verdict = RuleVerdict(points_of(mine))
    for sighting in mine:
        value = dict(sighting.tags).get(tag, "")
        if not is_right(value):
            reason = f"tag {tag!r} is {value!r}" if value else f"{MISSING} {tag!r}: {label(sighting.tags)}"
            verdict.add([sighting], reason)
    return verdict
