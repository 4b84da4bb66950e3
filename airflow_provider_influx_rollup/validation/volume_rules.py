"""Rules about how many points there are, and when the last one came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, timedelta
from statistics import median
from typing import ClassVar

from airflow_provider_influx_rollup.exceptions import InvalidTimezone
from airflow_provider_influx_rollup.globs import is_match
from airflow_provider_influx_rollup.validation.checks import (
    refuse,
    require_duration,
    require_number,
    require_text,
    require_truth,
    require_whole,
)
from airflow_provider_influx_rollup.validation.rule import SeriesRule, TagSet
from airflow_provider_influx_rollup.validation.sightings import (
    LAST,
    TOTAL,
    Look,
    Observations,
    RuleVerdict,
    Scope,
    Sighting,
    covered,
    label,
    points_of,
)
from airflow_provider_influx_rollup.windows.duration import DurationLike
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant, from_ns, to_ns
from airflow_provider_influx_rollup.windows.local_time import load_zone

WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class CadenceRule(SeriesRule):
    """Each series that reports has as many points as its cadence promises. One that is silent is the deadman's work.

    :param every: how often a series has a point, a Flux duration
    :param field: a field's name or a glob
    :param min_share: share of the promised points that is enough
    :param max_share: share of them that is too much beyond; None allows any number
    """

    rule: ClassVar[str] = "cadence"
    unit: ClassVar[str] = "series"
    named_by: ClassVar[tuple[str, ...]] = ("field",)

    every: DurationLike
    field: str = "*"
    min_share: float = 0.9
    max_share: float | None = 1.1

    def check(self) -> None:
        """A cadence, and shares in order."""
        require_duration(self.rule, "every", self.every)
        require_text(self.rule, "field", self.field)
        require_number(self.rule, "min_share", self.min_share, low=0)
        if self.max_share is not None:
            require_number(self.rule, "max_share", self.max_share, low=0)
            if self.max_share < self.min_share:
                raise refuse(
                    self.rule,
                    "max_share",
                    self.max_share,
                    f"is less than min_share={self.min_share}",
                    "swap them",
                )

    def judge(self, seen: Observations) -> RuleVerdict:
        """Count the points of each series and field."""
        points: dict[tuple[TagSet, str], int] = defaultdict(int)
        for sighting in seen.mine(self):
            if is_match(self.field, sighting.field):
                points[sighting.tags, sighting.field] += sighting.points
        promised = seen.scope.interval.duration / require_duration(self.rule, "every", self.every).timedelta
        verdict = RuleVerdict(len(points))
        for (tags, name), count in sorted(points.items()):
            share = count / promised
            if share < self.min_share or (self.max_share is not None and share > self.max_share):
                what = f"{label(tags)} has {count} points of {name!r}, {promised:g} are promised"
                verdict.findings.append(what)
        return verdict


@dataclass(frozen=True, kw_only=True)
class VolumeRule(SeriesRule):
    """About as many points as in the same hours of past weeks: the median of those weeks that have points.

    :param weeks: how many
    :param min_ratio: the fewest points, as a multiple of the median
    :param max_ratio: the most points, as a multiple of it; None allows any number
    :param field: a field's name or a glob
    :param timezone: IANA zone whose hours are the same
    """

    rule: ClassVar[str] = "volume"
    unit: ClassVar[str] = "findings"
    named_by: ClassVar[tuple[str, ...]] = ("field",)

    weeks: int = 4
    min_ratio: float = 0.5
    max_ratio: float | None = 2.0
    field: str = "*"
    timezone: str = "UTC"

    def check(self) -> None:
        """Weeks, ratios in order, a zone."""
        require_whole(self.rule, "weeks", self.weeks, low=1)
        require_number(self.rule, "min_ratio", self.min_ratio, low=0)
        if self.max_ratio is not None:
            require_number(self.rule, "max_ratio", self.max_ratio, low=0)
            if self.max_ratio < self.min_ratio:
                raise refuse(
                    self.rule,
                    "max_ratio",
                    self.max_ratio,
                    f"is less than min_ratio={self.min_ratio}",
                    "swap them",
                )
        require_text(self.rule, "field", self.field)
        try:
            load_zone(self.timezone)
        except InvalidTimezone as error:
            raise refuse(self.rule, "timezone", self.timezone, "is no time zone", str(error.fix)) from error
        if self.where:
            raise refuse(self.rule, "where", dict(self.where), "is not possible", "set tags= of the operator")

    def looks(self, scope: Scope) -> list[Look]:
        """The same hours of each week before."""
        interval, zone = scope.interval, load_zone(self.timezone)
        local = interval.start.astimezone(zone)
        starts = [(local - week * WEEK).astimezone(UTC) for week in range(1, self.weeks + 1)]
        return [Look(what=TOTAL, interval=Interval(start, start + interval.duration)) for start in starts]

    def judge(self, seen: Observations) -> RuleVerdict:
        """Compare with the median of the weeks that have points."""
        count = self._count(seen.census)
        past = [self._count(seen.answers[look]) for look in self.looks(seen.scope)]
        known = [points for points in past if points]
        if not known:
            return RuleVerdict()
        usual = median(known)
        verdict = RuleVerdict(count + sum(known))
        is_much = self.max_ratio is not None and count > self.max_ratio * usual
        if count < self.min_ratio * usual or is_much:
            what = f"{count} points are {count / usual:.2f} times the {usual:g} of {len(known)} past weeks"
            verdict.findings.append(what)
        return verdict

    def _count(self, sightings: Iterable[Sighting]) -> int:
        return points_of(one for one in sightings if is_match(self.field, one.field))


@dataclass(frozen=True, kw_only=True)
class FreshnessRule(SeriesRule):
    """The last point is not older than ``max_age`` at the interval's stop.

    :param max_age: a Flux duration
    :param lookback: how far before the interval a series may have been seen to be expected, a Flux duration
    :param each_series: False asks for one point of any series
    """

    rule: ClassVar[str] = "freshness"
    unit: ClassVar[str] = "series"

    max_age: DurationLike
    lookback: DurationLike = "1d"
    each_series: bool = True

    def check(self) -> None:
        """Durations."""
        require_duration(self.rule, "max_age", self.max_age)
        require_duration(self.rule, "lookback", self.lookback, allow_zero=True)
        require_truth(self.rule, "each_series", self.each_series)

    def looks(self, scope: Scope) -> list[Look]:
        """The last points up to the interval's stop."""
        length = require_duration(self.rule, "lookback", self.lookback, allow_zero=True).timedelta
        return [Look(what=LAST, interval=Interval(scope.interval.start - length, scope.interval.stop))]

    def judge(self, seen: Observations) -> RuleVerdict:
        """Compare the age of the last points."""
        (look,) = self.looks(seen.scope)
        newest: dict[TagSet, int] = {}
        for sighting in covered(self, seen.answers[look]):
            tags = sighting.tags if self.each_series else ()
            newest[tags] = max(newest.get(tags, sighting.last_ns), sighting.last_ns)
        verdict = RuleVerdict(len(newest))
        stop = seen.scope.interval.stop
        oldest_ns = to_ns(stop) - require_duration(self.rule, "max_age", self.max_age).nanoseconds
        if not newest:
            verdict.findings.append(f"no point within {self.lookback} before the interval, nor in it")
        for tags, last_ns in sorted(newest.items()):
            if last_ns < oldest_ns:
                who = label(tags) if self.each_series else "the measurement"
                verdict.findings.append(
                    f"the last point of {who} is of {format_instant(from_ns(last_ns))}, more than {self.max_age} "
                    f"before {format_instant(stop)}"
                )
        return verdict
