"""Counts that rules ask of InfluxDB, and the findings they draw from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_influx_rollup.validation.rule import Rule, TagSet
from airflow_provider_influx_rollup.windows.interval import Interval

COUNT = "count"
LAST = "last"
TYPES = "types"
TOTAL = "total"
LATE = "late"
EXPECTED = "expected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Something that InfluxDB finds out without sending points.

    :param what: ``count`` points of each series and field, ``last`` time of each, ``types`` of the fields, ``total``
        points of each field, ``late`` points of a pipeline's windows as the ledger has them, ``expected`` series
    :param is_cut: whether it is asked for each shard group: a field's type may change between two
    :param pipeline: for ``late``
    :param inventory: for ``expected``: an inventory and its ``group_by`` as JSON
    """

    what: str
    interval: Interval
    is_cut: bool = True
    pipeline: str = ""
    inventory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A series and field that has points in a part of an interval.

    :param tags: empty for ``types`` and ``total``
    :param kind: the field's type in the part; empty when nothing asked for it
    :param part: what was looked at: inside one shard group
    :param points: how many
    :param last_ns: time of its last point, for ``last``
    """

    tags: TagSet
    field: str
    part: Interval
    kind: str = ""
    points: int = 0
    last_ns: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """The points to validate.

    :param now: the clock, aware UTC
    """

    interval: Interval
    now: datetime


@dataclass(frozen=True, slots=True)
class Observations:
    """The findings.

    :param census: the series and fields of the interval, with types
    :param answers: of the rule's own looks
    """

    scope: Scope
    census: Sequence[Sighting]
    answers: Mapping[Look, Sequence[Sighting]] = field(default_factory=dict)

    def mine(self, rule: Rule) -> list[Sighting]:
        """The census of a rule's series."""
        return covered(rule, self.census)

    def of(self, rule: Rule, look: Look) -> list[Sighting]:
        """The counts of a rule's series."""
        return covered(rule, self.answers[look])


@dataclass(slots=True)
class RuleVerdict:
    """Findings of a series rule.

    :param checked: points, or series, that were looked at; 0 when there was nothing to judge
    :param hits: sightings whose points break the rule, with the reason; these points can be quarantined
    :param findings: what breaks the rule without being points
    """

    checked: int = 0
    hits: dict[Sighting, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """Points of the hits, and one for each finding."""
        return sum(sighting.points for sighting in self.hits) + len(self.findings)

    def add(self, sightings: Iterable[Sighting], reason: str) -> None:
        """Points that break the rule; the first reason stays."""
        for sighting in sightings:
            self.hits.setdefault(sighting, reason)


def covered(rule: Rule, sightings: Iterable[Sighting]) -> list[Sighting]:
    """The sightings of the series that a rule is about."""
    if not rule.where:
        return list(sightings)
    return [sighting for sighting in sightings if rule.covers(sighting.tags)]


def points_of(sightings: Iterable[Sighting]) -> int:
    """Number of points of all of them."""
    return sum(sighting.points for sighting in sightings)


def label(tags: TagSet) -> str:
    """Text for messages: ``device=d1, site=a``."""
    return ", ".join(f"{key}={value}" for key, value in tags) or "the series without tags"
