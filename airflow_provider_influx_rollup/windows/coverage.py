"""Sets of instants as lists of intervals: union, difference, intersection, and what is missing."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union as sorted intervals that neither overlap nor touch.

    :param intervals: in any order, overlapping or repeated
    """
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start <= merged[-1].stop:
            if interval.stop > merged[-1].stop:
                merged[-1] = Interval(merged[-1].start, interval.stop)
        else:
            merged.append(interval)
    return merged


def subtract(left: Iterable[Interval], right: Iterable[Interval]) -> list[Interval]:
    """Return what lies in ``left`` and not in ``right``, sorted and merged."""
    holes, rest, j = merge(right), [], 0
    for interval in merge(left):
        start = interval.start
        while j < len(holes) and holes[j].stop <= start:
            j += 1
        k = j
        while k < len(holes) and holes[k].start < interval.stop:
            if start < holes[k].start:
                rest.append(Interval(start, holes[k].start))
            start = holes[k].stop
            k += 1
        if start < interval.stop:
            rest.append(Interval(start, interval.stop))
    return rest


def missing(windows: Iterable[Interval], done: Iterable[Interval]) -> list[Interval]:
    """Return the windows that are not wholly done, in the given order.

    :param windows: the windows that should be done
    :param done: what is done, in any order; a window may be done in parts
    """
    covered = merge(done)
    starts = [interval.start for interval in covered]

    def is_done(window: Interval) -> bool:
        position = bisect_right(starts, window.start) - 1
        return position >= 0 and covered[position].covers(window)

    return [window for window in windows if not is_done(window)]


def runs_of_neighbours(windows: Sequence[Interval]) -> list[tuple[Interval, ...]]:
    """Windows as runs without a gap; sliding windows overlap.

    :param windows: in ascending order
    """
    runs: list[list[Interval]] = []
    for window in windows:
        if runs and window.start <= runs[-1][-1].stop:
            runs[-1].append(window)
        else:
            runs.append([window])
    return [tuple(run) for run in runs]
