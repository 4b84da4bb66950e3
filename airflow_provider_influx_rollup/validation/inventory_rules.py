"""A rule about series that should be there: the inventory that the sensor and the deadman use too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from airflow_provider_influx_rollup.validation.checks import refuse, require_duration, require_texts
from airflow_provider_influx_rollup.validation.rule import SeriesRule, TagSet
from airflow_provider_influx_rollup.validation.sightings import (
    EXPECTED,
    Look,
    Observations,
    RuleVerdict,
    Scope,
    label,
)
from airflow_provider_influx_rollup.windows.duration import DurationLike
from airflow_provider_influx_rollup.windows.interval import Interval

SEEN_BEFORE = "inventory"
Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ExpectedSeriesRule(SeriesRule):
    """Each expected series has a point in the interval; one with more tags than are named counts too.

    :param series: ``"inventory"`` for those seen within ``lookback`` before the interval, a list of tags, ``{"flux":
        query, "params": values}`` whose rows name them, or a function of start and stop that returns a list of tags
    :param lookback: how long before the interval a series may have been seen last, a Flux duration
    :param retire_after: how long a series may be silent until it is retired, a Flux duration
    :param retired: tags of series that are given up
    :param group_by: tag keys that tell seen series apart; default: all
    """

    rule: ClassVar[str] = "expected_series"
    unit: ClassVar[str] = "series"

    # a function's repr has its address, which would make a new version of the DAG each time it is parsed
    series: str | Sequence[Tags] | Mapping[str, Any] | Callable[[datetime, datetime], Any] = field(
        default=SEEN_BEFORE, repr=False
    )
    lookback: DurationLike = "7d"
    retire_after: DurationLike | None = None
    retired: Sequence[Tags] = ()
    group_by: Sequence[str] = ()

    def check(self) -> None:
        """Series, in one of the forms."""
        require_duration(self.rule, "lookback", self.lookback)
        if self.retire_after is not None:
            require_duration(self.rule, "retire_after", self.retire_after)
        for name in ("series", "retired"):
            given = getattr(self, name)
            if isinstance(given, list | tuple):
                object.__setattr__(self, name, tuple(_tags(self.rule, name, tags) for tags in given))
        if self.group_by:
            object.__setattr__(self, "group_by", require_texts(self.rule, "group_by", self.group_by))
        if not self._is_possible():
            fix = f'give "{SEEN_BEFORE}", a list of tags, {{"flux": query}}, or a function'
            raise refuse(self.rule, "series", self.series, "names no series", fix)

    def _is_possible(self) -> bool:
        given = self.series
        if isinstance(given, Mapping):
            return {"flux"} <= given.keys() <= {"flux", "params"} and isinstance(given["flux"], str)
        return given == SEEN_BEFORE or callable(given) or (isinstance(given, tuple) and bool(given))

    def at(self, interval: Interval) -> ExpectedSeriesRule:
        """The rule with what a function says of the interval.

        :raises RuleInvalid: when it returns no list of tags
        """
        if not callable(self.series):
            return self
        found = self.series(interval.start, interval.stop)
        return replace(self, series=list(found) if isinstance(found, list | tuple | set) else found)

    def looks(self, scope: Scope) -> list[Look]:
        """The inventory before the interval."""
        expected: Any = {"listed": self.series} if isinstance(self.series, tuple) else self.series
        inventory = {"lookback": self.lookback, "retire_after": self.retire_after, "retired": self.retired}
        inventory |= expected if isinstance(expected, Mapping) else {}
        asked = {"inventory": inventory, "group_by": self.group_by or None}
        return [Look(what=EXPECTED, interval=scope.interval, is_cut=False, inventory=json.dumps(asked))]

    def judge(self, seen: Observations) -> RuleVerdict:
        """Look for each of them."""
        (look,) = self.looks(seen.scope)
        expected = [sighting.tags for sighting in seen.of(self, look)]
        there = {sighting.tags for sighting in seen.census}
        reported: dict[tuple[str, ...], set[TagSet]] = {}
        verdict = RuleVerdict(len(expected))
        for tags in expected:
            keys = tuple(key for key, _ in tags)
            if keys not in reported:
                reported[keys] = {tuple(tag for tag in one if tag[0] in keys) for one in there}
            if tags not in reported[keys]:
                verdict.findings.append(f"{label(tags)} has no point")
        return verdict


def _tags(rule: str, parameter: str, tags: Any) -> dict[str, str]:
    if not isinstance(tags, Mapping) or not all(
        isinstance(text, str) for pair in tags.items() for text in pair
    ):
        raise refuse(rule, parameter, tags, "is not a mapping of tags", "list {tag: value} for each series")
    return dict(tags)
