"""Distribution of points' lateness, with a lower and an upper bound."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import ceil, floor
from typing import Any

from airflow_provider_influx_rollup.windows.duration import Duration

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Sample:
    """Points that share what is known of how late they were.

    :param points: how many, 1 or more
    :param at_least: seconds after the window's stop, 0 or more
    :param at_most: seconds after the window's stop
    :param is_late: whether they came after the window's first commit
    """

    points: int
    at_least: float
    at_most: float
    is_late: bool


@dataclass(frozen=True, slots=True)
class LatenessBounds:
    """A lateness that is only known to lie between two, in seconds."""

    at_least: float
    at_most: float

    def as_json(self) -> dict[str, str]:
        """As Flux durations, rounded outwards."""
        return {
            "at_least": rounded_down(self.at_least).to_flux(),
            "at_most": rounded_up(self.at_most).to_flux(),
        }


@dataclass(frozen=True)
class Distribution:
    """Points by how late they were.

    Each point's lateness lies between the bounds of its sample, so a share or a quantile computed from all lower bounds
    and one computed from all upper bounds enclose the true one.
    """

    samples: tuple[Sample, ...]

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Distribution:
        """Leave out what has no points."""
        return cls(tuple(sample for sample in samples if sample.points > 0))

    @cached_property
    def points(self) -> int:
        """All points."""
        return sum(sample.points for sample in self.samples)

    @cached_property
    def late_points(self) -> int:
        """Points that came after their window's first commit."""
        return self.late.points

    @cached_property
    def late(self) -> Distribution:
        """The late points alone."""
        return Distribution(tuple(sample for sample in self.samples if sample.is_late))

    @cached_property
    def on_time(self) -> Distribution:
        """The points of the first commits alone."""
        return Distribution(tuple(sample for sample in self.samples if not sample.is_late))

    @cached_property
    def _lower(self) -> tuple[list[float], list[int]]:
        return _cumulated((sample.at_least, sample.points) for sample in self.samples)

    @cached_property
    def _upper(self) -> tuple[list[float], list[int]]:
        return _cumulated((sample.at_most, sample.points) for sample in self.samples)

    def quantile(self, share: Fraction) -> LatenessBounds:
        """The least lateness that this share of the points does not exceed.

        :param share: above 0, at most 1; there must be points
        """
        return LatenessBounds(_quantile(self._lower, share), _quantile(self._upper, share))

    def caught(self, seconds: float) -> tuple[float, float]:
        """The share of the points that a lateness surely catches, and the share that it perhaps catches."""
        return _share(self._upper, seconds), _share(self._lower, seconds)

    def breakpoints(self) -> list[float]:
        """The latenesses, in seconds, at which a share changes."""
        return sorted({*self._lower[0], *self._upper[0]})


def _cumulated(pairs: Iterable[tuple[float, int]]) -> tuple[list[float], list[int]]:
    """Values in order, and how many points lie at or below each."""
    ordered = sorted(pairs)
    return [value for value, _ in ordered], list(accumulate(points for _, points in ordered))


def _quantile(cumulated: tuple[list[float], list[int]], share: Fraction) -> float:
    values, totals = cumulated
    # whole points: a float product would miss a boundary now and then
    wanted = ceil(share * totals[-1])
    position = bisect_right(totals, wanted - 1)
    return values[position]


def _share(cumulated: tuple[list[float], list[int]], seconds: float) -> float:
    values, totals = cumulated
    position = bisect_right(values, seconds)
    return totals[position - 1] / totals[-1] if position else 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting ``lateness`` that would catch a share of the points.

    :param share: such as 99/100
    :param needed: the lateness that would have caught them
    :param present: the pipeline's setting
    :param is_enough: whether the runs have caught that share as they are, or the setting surely would have
    """

    share: Fraction
    needed: LatenessBounds
    present: Duration
    is_enough: bool

    @property
    def verdict(self) -> str:
        """``enough``, or ``raise`` the setting."""
        return "enough" if self.is_enough else "raise"

    @property
    def recommended(self) -> Duration:
        """The present setting when it is enough; else one that surely catches the share."""
        return self.present if self.is_enough else rounded_up(self.needed.at_most)

    def as_json(self) -> dict[str, Any]:
        """Small JSON; durations as Flux writes them."""
        return {
            **self.needed.as_json(),
            "present": self.present.to_flux(),
            "recommended": self.recommended.to_flux(),
            "verdict": self.verdict,
        }


def settings_of(distribution: Distribution, present: Duration, shares: Sequence[Fraction]) -> list[Setting]:
    """The setting that would catch each share.

    :param present: the pipeline's setting
    :param shares: each above 0, at most 1
    """
    on_time, seconds = distribution.on_time.points, present.timedelta.total_seconds()
    found = []
    for share in shares:
        needed = distribution.quantile(share)
        is_enough = on_time >= share * distribution.points or needed.at_most <= seconds
        found.append(Setting(share, needed, present, is_enough))
    return found


def rounded_up(seconds: float) -> Duration:
    """A duration that people would write, not below."""
    step = _step(seconds)
    return Duration(0, ceil(Fraction(seconds) / step) * step * 10**9)


def rounded_down(seconds: float) -> Duration:
    """A duration that people would write, not above."""
    step = _step(seconds)
    return Duration(0, floor(Fraction(seconds) / step) * step * 10**9)


def _step(seconds: float) -> int:
    """Seconds up to ten minutes, then minutes, from two days on hours."""
    if seconds <= 10 * MINUTE:
        return 1
    return MINUTE if seconds <= 2 * DAY else HOUR
