"""Rules about when points are, and when they came: the future, late points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.validation.checks import (
    require_choice,
    require_duration,
    require_number,
    require_text,
)
from airflow_provider_influx_rollup.validation.rule import FieldRule, SeriesRule
from airflow_provider_influx_rollup.validation.sightings import (
    COUNT,
    LATE,
    Look,
    Observations,
    RuleVerdict,
    Scope,
    points_of,
)
from airflow_provider_influx_rollup.windows.duration import DurationLike
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_influx_rollup.validation.points import Points

# the last whole day that 64 bits of nanoseconds reach
END_OF_TIME = datetime(2262, 4, 11, tzinfo=UTC)
UNITS_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}


@dataclass(frozen=True, kw_only=True)
class FutureRule(SeriesRule):
    """No point is later than the clock, wherever the interval is.

    :param max_ahead: how far a device's clock may be ahead, a Flux duration
    """

    rule: ClassVar[str] = "future"

    max_ahead: DurationLike = "0s"

    def check(self) -> None:
        """A duration."""
        require_duration(self.rule, "max_ahead", self.max_ahead, allow_zero=True)

    def looks(self, scope: Scope) -> list[Look]:
        """All that comes after the clock."""
        ahead = require_duration(self.rule, "max_ahead", self.max_ahead, allow_zero=True).timedelta
        return [Look(what=COUNT, interval=Interval(scope.now + ahead, END_OF_TIME), is_cut=False)]

    def judge(self, seen: Observations) -> RuleVerdict:
        """Each point there breaks the rule."""
        (look,) = self.looks(seen.scope)
        found = seen.of(self, look)
        verdict = RuleVerdict(points_of(seen.mine(self)) + points_of(found))
        verdict.add(found, f"later than {format_instant(look.interval.start)}")
        return verdict


@dataclass(frozen=True, kw_only=True)
class LatePointsRule(FieldRule):
    """Points that came within ``max_delay`` after their own time, by a field that says when they came.

    Give a ``tolerance`` for the share that may be late.

    :param field: an integer or float field: time since the epoch at which the point came
    :param max_delay: a Flux duration
    :param time_unit: of the field: ``ns``, ``us``, ``ms`` or ``s``
    """

    rule: ClassVar[str] = "late_points"

    max_delay: DurationLike
    time_unit: str = "ns"

    def check(self) -> None:
        """A delay and a unit."""
        require_duration(self.rule, "max_delay", self.max_delay, allow_zero=True)
        require_choice(self.rule, "time_unit", self.time_unit, tuple(UNITS_NS))

    def find(self, points: Points) -> NDArray[Any]:
        """Points that came too late; a text is no time."""
        import numpy as np

        if points.kind not in ("integer", "unsigned", "float"):
            return np.ones(len(points), bool)
        delay = self._delay_ns(points)
        limit = require_duration(self.rule, "max_delay", self.max_delay, allow_zero=True).nanoseconds
        late: NDArray[Any] = delay > limit
        return late

    def _delay_ns(self, points: Points) -> NDArray[Any]:
        """Delay of each point; in whole nanoseconds where the field holds whole numbers that fit."""
        import numpy as np

        factor = UNITS_NS[self.time_unit]
        if points.kind == "float" or np.any(points.values > np.iinfo(np.int64).max // factor):
            return points.values.astype(np.float64) * factor - points.time_ns.astype(np.float64)
        came: NDArray[Any] = points.values.astype(np.int64) * factor
        return came - points.time_ns

    def score(self, points: Points) -> NDArray[Any] | None:
        """Delay of each point in nanoseconds; None for texts and booleans."""
        return None if points.kind in ("string", "boolean") else self._delay_ns(points)


@dataclass(frozen=True, kw_only=True)
class LateShareRule(SeriesRule):
    """Few of the points came after their window was rolled up, as the ledger's records of a pipeline say.

    :param pipeline: the rollup's name in the ledger
    :param max_share: share of the interval's points that may be late, from 0 to 1
    """

    rule: ClassVar[str] = "late_share"
    unit: ClassVar[str] = "findings"
    named_by: ClassVar[tuple[str, ...]] = ("pipeline",)

    pipeline: str
    max_share: float

    def check(self) -> None:
        """A pipeline and a share."""
        require_text(self.rule, "pipeline", self.pipeline)
        require_number(self.rule, "max_share", self.max_share, low=0, high=1)

    def looks(self, scope: Scope) -> list[Look]:
        """The ledger's records of late points."""
        return [Look(what=LATE, interval=scope.interval, is_cut=False, pipeline=self.pipeline)]

    def judge(self, seen: Observations) -> RuleVerdict:
        """Compare with all points of the interval."""
        (look,) = self.looks(seen.scope)
        late, total = points_of(seen.answers[look]), points_of(seen.mine(self))
        verdict = RuleVerdict(total)
        if total and late > self.max_share * total:
            verdict.findings.append(f"{late} of {total} points ({late / total:.1%}) came late")
        return verdict
