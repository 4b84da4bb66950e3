"""Compare what windows have with what is expected of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_influx_rollup.flux.completeness import SeriesCount
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.source.inventory import match_series, series_label
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_LOGGED = 5
# 55 of 100 series are 0.55 of them, whatever floats say
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class WindowCount:
    """Points and series of one window.

    :param points: per series, the points of its most frequent field
    :param rows: all field values
    """

    window: Interval
    points: Mapping[Series, int]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowGap:
    """Gaps of one window.

    :param missing: expected series without a point
    :param lacking: how many more series a plain number expects
    :param sparse: series with fewer points than the cadence promises, with the share they have
    :param completeness: share of what is expected that is there, 0 to 1
    :param enough: share of the series that must lack nothing
    :param whole: how many series lack nothing
    """

    window: Interval
    missing: tuple[Series, ...]
    lacking: int
    sparse: tuple[tuple[Series, float], ...]
    completeness: float
    is_empty: bool
    enough: float = 1.0
    whole: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether enough of the series lack nothing."""
        lacking = len(self.missing) + self.lacking + len(self.sparse)
        return not self.is_empty and (
            not lacking or self.whole >= self.enough * (self.whole + lacking) - ROUNDING
        )


def count_windows(windows: Sequence[Interval], counts: Iterable[SeriesCount]) -> list[WindowCount]:
    """Sort counts into their windows."""
    by_field: dict[tuple[datetime, Series, str], int] = defaultdict(int)
    for one in counts:
        # a tag set may have several series keys, which are counted one by one
        by_field[one.start, one.series, one.field] += one.points
    points: dict[datetime, dict[Series, int]] = {window.start: {} for window in windows}
    totals = dict.fromkeys(points, 0)
    for (start, series, _), count in by_field.items():
        points[start][series] = max(count, points[start].get(series, 0))
        totals[start] += count
    return [WindowCount(window, points[window.start], totals[window.start]) for window in windows]


def find_gap(
    counted: WindowCount,
    *,
    expected: tuple[Series, ...] | int | None,
    cadence: Duration | None,
    min_completeness: float,
    min_series: float = 1.0,
) -> WindowGap:
    """Compare a window with what is expected of it.

    :param expected: series, each satisfied by one with the same or more tags; or how many
    :param min_completeness: share of the points of a series that is enough
    :param min_series: share of the series that is enough
    """
    listed = expected if isinstance(expected, tuple) else ()
    missing, counting = match_series(listed, counted.points) if listed else ((), counted.points)
    lacking = max(expected - len(counted.points), 0) if isinstance(expected, int) else 0
    shares = _shares(counting, counted.window, cadence)
    sparse = tuple(sorted((s, share) for s, share in shares.items() if share < min_completeness))
    total = max(len(shares) + len(missing) + lacking, 1)
    completeness = sum(min(share, 1.0) for share in shares.values()) / total
    whole = len(shares) - len(sparse)
    return WindowGap(
        window=counted.window,
        missing=missing,
        lacking=lacking,
        sparse=sparse,
        completeness=completeness,
        is_empty=not counted.points,
        enough=min_series,
        whole=whole,
    )


def _shares(points: Mapping[Series, int], window: Interval, cadence: Duration | None) -> dict[Series, float]:
    if cadence is None:
        return dict.fromkeys(points, 1.0)
    promised = window.duration / cadence.timedelta
    return {series: count / promised for series, count in points.items()}


def describe_gap(gap: WindowGap) -> str:
    """One line for the log: what a window lacks."""
    if gap.is_empty:
        return f"{gap.window}: no point yet"
    parts = []
    if gap.missing:
        parts.append(
            f"{len(gap.missing)} series missing: {few([series_label(s) for s in gap.missing], MAX_LOGGED)}"
        )
    if gap.lacking:
        parts.append(f"{gap.lacking} more series expected")
    if gap.sparse:
        labels = [f"{series_label(series)} ({share:.1%})" for series, share in gap.sparse]
        parts.append(f"{len(gap.sparse)} series below min_completeness: {few(labels, MAX_LOGGED)}")
    return f"{gap.window}: {'; '.join(parts)}"
