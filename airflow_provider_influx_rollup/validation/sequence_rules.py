"""Rules about points that follow each other in a series: stuck sensors, spikes, counters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.validation.checks import (
    require_duration,
    require_number,
    require_truth,
    require_whole,
)
from airflow_provider_influx_rollup.validation.rule import NUMBERS, PartVerdict, PointRule
from airflow_provider_influx_rollup.windows.duration import DurationLike

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_influx_rollup.validation.points import Mask, Part, Points
    from airflow_provider_influx_rollup.validation.sequence_memory import LastPoints, Memory, Previous


@dataclass(frozen=True, kw_only=True)
class SequenceRule(PointRule, ABC):
    """A rule that compares the points of a series with those before."""

    def judge(self, part: Part, memory: Memory) -> PartVerdict:
        """The first points of a part follow the last ones of the parts before."""
        from airflow_provider_influx_rollup.validation.sequence_memory import no_points

        masks: dict[int, Mask] = {}
        kept = dict(memory)
        for index, table in enumerate(part.tables):
            if self.wants(table.field, table.kind):
                points = part.about(self, table)
                last = kept.get(table.field, no_points(points)).with_room_for(points)
                found, kept[table.field] = self.compare(points, last)
                masks[index] = part.spread(self, table, found)
        return PartVerdict(masks, kept)

    @abstractmethod
    def compare(self, points: Points, last: LastPoints) -> tuple[Mask, LastPoints]:
        """A mask of the points of one field that break the rule, and the points that the next ones follow.

        :param points: of one field, by series and time
        :param last: the point that the first one of each series follows
        """


@dataclass(frozen=True, kw_only=True)
class StuckRule(SequenceRule):
    """A value that does not change: the last of ``points`` equal ones in a row, and each one after it.

    :param points: how many, 2 or more
    :param tolerated_change: numbers that differ by at most this from the one before count as equal
    """

    rule: ClassVar[str] = "stuck"

    points: int
    tolerated_change: float = 0.0

    def check(self) -> None:
        """Two points at least."""
        require_whole(self.rule, "points", self.points, low=2)
        require_number(self.rule, "tolerated_change", self.tolerated_change, low=0)

    @property
    def needs_before(self) -> int:
        """A run may have begun before the interval."""
        return self.points - 1

    def compare(self, points: Points, last: LastPoints) -> tuple[Mask, LastPoints]:
        """Points at which the value has not changed for long enough."""
        import numpy as np

        from airflow_provider_influx_rollup.validation.sequence_memory import previous_points

        before = previous_points(points, last)
        is_same = before.is_known & self._is_equal(points, before.values)
        rows = np.arange(len(points))
        # a run begins where the value changes, or at the first point of a series that continues an earlier run
        began = np.maximum.accumulate(np.where(points.is_first | ~is_same, rows, 0))
        run = rows - began + 1
        goes_on = (points.is_first & is_same)[began]
        run[goes_on] += last.run[points.series[goes_on]]
        bad: NDArray[Any] = run >= self.points
        return bad, last.followed_by(points, rows, run)

    def _is_equal(self, points: Points, before: NDArray[Any]) -> Any:
        if points.kind in NUMBERS and self.tolerated_change:
            return _distance(points.values, before) <= self.tolerated_change
        return points.values == before


@dataclass(frozen=True, kw_only=True)
class SpikeRule(SequenceRule):
    """A number that is further from the last good one than it can have changed since.

    It may change by ``max_change`` for each ``per`` that has passed, and by that much within one ``per``. Points that
    break the rule are not what the next ones are compared with, so a lone spike is one violation and not two.

    :param max_change: the most that the value changes within ``per``
    :param per: a Flux duration
    """

    rule: ClassVar[str] = "spike"
    # the last point before the interval may be a spike itself
    points_before: ClassVar[int] = 5

    max_change: float
    per: DurationLike

    def check(self) -> None:
        """A change and a time."""
        require_number(self.rule, "max_change", self.max_change, low=0)
        require_duration(self.rule, "per", self.per)

    def reads(self, kind: str) -> bool:
        """Only numbers have a distance."""
        return kind in NUMBERS

    def compare(self, points: Points, last: LastPoints) -> tuple[Mask, LastPoints]:
        """Points that are too far away from the last good one."""
        import numpy as np

        from airflow_provider_influx_rollup.validation.sequence_memory import previous_points

        before = previous_points(points, last)
        step = _distance(points.values, before.values)
        jumps = np.flatnonzero(before.is_known & (step > self._allowed(points.time_ns - before.time_ns)))
        bad = self._walk(points, before, jumps)
        return bad, last.followed_by(points, np.flatnonzero(~bad))

    def _allowed(self, passed_ns: Any) -> Any:
        import numpy as np

        return self.max_change * np.maximum(1.0, passed_ns / self._per_ns)

    @property
    def _per_ns(self) -> int:
        return require_duration(self.rule, "per", self.per).nanoseconds

    def _walk(self, points: Points, before: Previous, jumps: NDArray[Any]) -> Mask:
        """The points from each jump on, until one is near enough to the last good one."""
        import numpy as np

        bad = np.zeros(len(points), bool)
        ends = np.append(np.flatnonzero(points.is_first)[1:], len(points))
        listed, place = jumps.tolist(), 0
        while place < len(listed):
            row = listed[place]
            end = int(ends[np.searchsorted(ends, row, "right")])
            good, since = before.values[row].item(), before.time_ns[row].item()
            while row < end and self._is_far(points, row, good, since):
                bad[row] = True
                row += 1
            # a jump back to the good point is none
            place = bisect_right(listed, row if row < end else row - 1)
        return bad

    def _is_far(self, points: Points, row: int, good: float, since: int) -> bool:
        passed = max(1.0, (points.time_ns[row].item() - since) / self._per_ns)
        return bool(abs(points.values[row].item() - good) > self.max_change * passed)

    def score(self, points: Points) -> NDArray[Any] | None:
        """Distance from the median of all; the last good values are no longer known."""
        import numpy as np

        values = points.values.astype(np.float64)
        distance: NDArray[Any] = np.abs(values - np.median(values)) if len(values) else values
        return distance


@dataclass(frozen=True, kw_only=True)
class MonotonicRule(SequenceRule):
    """A counter: no number is less than the one before it.

    :param strict: whether it must grow with each point
    :param reset_to: a number that is at most this is a counter that begins again, and right; None allows no reset
    """

    rule: ClassVar[str] = "monotonic"
    points_before: ClassVar[int] = 1

    strict: bool = False
    reset_to: float | None = None

    def check(self) -> None:
        """A truth and a number."""
        require_truth(self.rule, "strict", self.strict)
        if self.reset_to is not None:
            require_number(self.rule, "reset_to", self.reset_to)

    def reads(self, kind: str) -> bool:
        """Only numbers count."""
        return kind in NUMBERS

    def compare(self, points: Points, last: LastPoints) -> tuple[Mask, LastPoints]:
        """Points that are less than the one before."""
        import numpy as np

        from airflow_provider_influx_rollup.validation.sequence_memory import previous_points

        before = previous_points(points, last)
        falls = points.values <= before.values if self.strict else points.values < before.values
        bad: NDArray[Any] = before.is_known & falls
        if self.reset_to is not None:
            bad &= ~((points.values < before.values) & (points.values <= self.reset_to))
        return bad, last.followed_by(points, np.arange(len(points)))


def _distance(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """The distance as floats: integers could overflow."""
    import numpy as np

    distance: NDArray[Any] = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return distance
