"""Windows of a run whose data interval is shorter than a window, or lies across some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.grid import Grid


def windows_ending(grid: Grid, interval: Interval) -> list[Interval]:
    """Return the windows that stop in ``(start, stop]`` of an interval, in order; often none.

    Any partition of a time into intervals has each window in exactly one of them.

    :param grid: of windows that do not slide
    """
    first, last = grid.floor(interval.start), grid.floor(interval.stop)
    return grid.tile(Interval(first, last)) if first < last else []


def windows_touched(grid: Grid, interval: Interval) -> list[Interval]:
    """Return the windows that share an instant with an interval, in order; at least one.

    :param grid: of windows that do not slide
    """
    return grid.tile(Interval(grid.floor(interval.start), grid.ceil(interval.stop)))
