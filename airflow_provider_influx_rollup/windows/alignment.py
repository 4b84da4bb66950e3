"""The error of an interval that a grid does not tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import WindowMisaligned
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_influx_rollup.windows.duration import Duration


def misaligned(
    interval: Interval,
    starts: tuple[datetime, datetime],
    stops: tuple[datetime, datetime],
    grid: str,
    fitting_offset: Duration | None,
    *,
    may_be_local: bool,
) -> WindowMisaligned:
    """Return the error, with both neighbours and the fix.

    :param starts: the bounds at or before, and at or after, the interval's start
    :param stops: the bounds at or before, and at or after, the interval's stop
    :param grid: how the user wrote the grid
    :param fitting_offset: the offset with which the grid would tile the interval, if there is one
    :param may_be_local: whether its windows are whole days of UTC and the interval may be of local ones
    """
    near = " and ".join(str(neighbour) for neighbour in neighbours(starts, stops))
    what = f"the grid {grid} does not tile the interval; the nearest that it tiles: {near}"
    fix = "give a start and stop on the grid, or an every, offset and timezone that fit the schedule"
    if fitting_offset is not None:
        offset = f"offset={fitting_offset.to_flux()!r}"
        fix = f"give {offset}, or a start and stop on the grid"
        if may_be_local:
            fix = f"give the timezone= of the schedule when its days are local ones, {offset} when they start at this hour of UTC all year, or a start and stop on the grid"
    return WindowMisaligned(what, window=interval, written="nothing was written", fix=fix)


def neighbours(starts: tuple[datetime, datetime], stops: tuple[datetime, datetime]) -> list[Interval]:
    """Return the nearest aligned intervals: the earlier and the later, or else the one around.

    :param starts: the bounds at or before, and at or after, the interval's start
    :param stops: the bounds at or before, and at or after, the interval's stop
    """
    pairs = dict.fromkeys(zip(starts, stops, strict=True))
    found = [Interval(start, stop) for start, stop in pairs if start < stop]
    return found or [Interval(starts[0], stops[1])]
