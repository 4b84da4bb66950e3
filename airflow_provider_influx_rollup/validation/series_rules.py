"""Rules about which series there are: duplicates by case or whitespace, and too many of them."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from airflow_provider_influx_rollup.validation.checks import (
    refuse,
    require_duration,
    require_number,
    require_texts,
    require_whole,
)
from airflow_provider_influx_rollup.validation.rule import SeriesRule, TagSet
from airflow_provider_influx_rollup.validation.sightings import (
    COUNT,
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

NEW_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class DuplicateSeriesRule(SeriesRule):
    """No two series differ only by upper and lower case, by spaces, or by how a character is encoded, in tag keys or values.

    Of such series the one with the most points is right, the others break the rule.

    :param tags: tag keys whose values are compared like that, as they are spelled right; default: all
    """

    rule: ClassVar[str] = "duplicate_series"

    tags: Sequence[str] = ()

    def check(self) -> None:
        """Tag keys."""
        object.__setattr__(self, "tags", require_texts(self.rule, "tags", self.tags) if self.tags else ())

    def judge(self, seen: Observations) -> RuleVerdict:
        """Find the series that become one when they are normalised."""
        mine = seen.mine(self)
        by_tags: dict[TagSet, list[Sighting]] = defaultdict(list)
        for sighting in mine:
            by_tags[sighting.tags].append(sighting)
        alike: dict[TagSet, list[TagSet]] = defaultdict(list)
        for tags in by_tags:
            alike[self._normalised(tags)].append(tags)
        verdict = RuleVerdict(points_of(mine))
        for group in alike.values():
            right, *others = sorted(group, key=lambda tags: (-points_of(by_tags[tags]), tags))
            for tags in others:
                verdict.add(by_tags[tags], f"{label(tags)!r} is {label(right)!r} spelled otherwise")
        return verdict

    def _normalised(self, tags: TagSet) -> TagSet:
        wanted = {normalised(key) for key in self.tags}
        return tuple(
            sorted(
                (normalised(key), normalised(value))
                if not wanted or normalised(key) in wanted
                else (key, value)
                for key, value in tags
            )
        )


def normalised(text: str) -> str:
    """A text without what people do not see: case, spaces at its ends, several spaces, ways to encode a character."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True, kw_only=True)
class CardinalityRule(SeriesRule):
    """Not too many series, and not too many new ones.

    :param max_series: the most series (tag sets) that the interval may have
    :param max_growth: the most new series, as a share of those seen in the lookback: ``0.1`` allows one new for ten known
    :param lookback: how far before the interval a series is known from, a Flux duration
    """

    rule: ClassVar[str] = "cardinality"
    unit: ClassVar[str] = "findings"

    max_series: int | None = None
    max_growth: float | None = None
    lookback: DurationLike = "7d"

    def check(self) -> None:
        """One limit at least."""
        if self.max_series is None and self.max_growth is None:
            raise refuse(
                self.rule, "max_series", None, "and max_growth=None limit nothing", "give one of them"
            )
        if self.max_series is not None:
            require_whole(self.rule, "max_series", self.max_series, low=1)
        if self.max_growth is not None:
            require_number(self.rule, "max_growth", self.max_growth, low=0)
        require_duration(self.rule, "lookback", self.lookback)

    def looks(self, scope: Scope) -> list[Look]:
        """The series before the interval."""
        if self.max_growth is None:
            return []
        length = require_duration(self.rule, "lookback", self.lookback).timedelta
        start = scope.interval.start
        return [Look(what=COUNT, interval=Interval(start - length, start))]

    def judge(self, seen: Observations) -> RuleVerdict:
        """Count the series, and those that are new."""
        there = {sighting.tags for sighting in seen.mine(self)}
        verdict = RuleVerdict(len(there))
        if self.max_series is not None and len(there) > self.max_series:
            verdict.findings.append(f"{len(there)} series are more than {self.max_series}")
        for look in self.looks(seen.scope):
            known = {sighting.tags for sighting in seen.of(self, look)}
            new = sorted(there - known)
            if known and len(new) > (self.max_growth or 0) * len(known):
                named = "; ".join(label(tags) for tags in new[:NEW_NAMED])
                verdict.findings.append(
                    f"{len(new)} new series beside {len(known)} known ones are more than {self.max_growth:g}: {named}"
                )
        return verdict
