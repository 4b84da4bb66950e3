"""Sliding windows, composed from the cells of the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import InvalidDuration
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence


def cells_per_window(every: Duration, period: Duration | None) -> int:
    """Return how many cells of ``every`` a window of ``period`` has.

    :param period: None is ``every``
    :raises InvalidDuration: when period is not a whole multiple of every
    """
    if period is None:
        return 1
    if bool(every.months) != bool(period.months):
        what = f"period={period} and every={every} are of different kinds"
        fix = "give both in months, or both in units of fixed length"
        raise InvalidDuration(what, fix=fix)
    count, rest = divmod(period.months or period.nanoseconds, every.months or every.nanoseconds)
    if count == 0:
        what = f"period={period} is shorter than every={every}: points between windows would be lost"
        raise InvalidDuration(what, fix=f"give period={every} or a whole multiple of it")
    if rest:
        what = f"period={period} is not a whole multiple of every={every}"
        near = [Duration(every.months * n, every.nanoseconds * n) for n in (count, count + 1)]
        raise InvalidDuration(what, fix=f"give period={near[0]} or period={near[1]}")
    return count


def sliding_windows(cells: Sequence[Interval], count: int) -> list[Interval]:
    """Return the windows of ``count`` cells that stop where a cell stops.

    :param cells: adjacent cells in order, with ``count - 1`` more than there are windows, at the front
    """
    return [Interval(first.start, last.stop) for first, last in zip(cells, cells[count - 1 :], strict=False)]
