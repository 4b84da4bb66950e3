"""Whether the windows of one grid are made of whole windows of another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import WindowMisaligned
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.grid import Grid

SAMPLE_START = datetime(2024, 1, 1, tzinfo=UTC)
# a year and a month: every clock change of a zone, and 13 months
SAMPLE_LENGTH = timedelta(days=400)
LEAST_SAMPLE = 3


def cells_below(below: Grid, window: Interval) -> list[Interval]:
    """Return the windows of a lower grid that make a window.

    :raises WindowMisaligned: when they do not tile it, with the finer grid that would
    """
    for bound in (window.start, window.stop):
        if below.floor(bound) != bound:
            raise _not_nested(below, window)
    return below.tile(window)


@lru_cache(maxsize=256)
def require_nested(below: Grid, above: Grid) -> None:
    """Refuse two grids that do not nest, by the windows of a little more than a year.

    What the rules of a zone were, or will be, in other years is found when such a window is run.

    :raises WindowMisaligned: naming the first window that whole windows of the lower grid do not make
    """
    window = above.window_at(SAMPLE_START)
    count = 0
    # two neighbours of fixed windows show the phase and the step
    is_fixed = not above.is_calendar and not below.is_calendar
    while count < LEAST_SAMPLE or (not is_fixed and window.stop < SAMPLE_START + SAMPLE_LENGTH):
        if below.floor(window.start) != window.start or below.floor(window.stop) != window.stop:
            raise _not_nested(below, window)
        window = above.window_at(window.stop)
        count += 1


def _not_nested(below: Grid, window: Interval) -> WindowMisaligned:
    what = f"the window is not made of whole windows of the tier below ({below})"
    return WindowMisaligned(what, window=window, written="nothing", fix=_advice(below, window))


def _advice(below: Grid, window: Interval) -> str:
    """The coarsest grid of fixed windows that fits, where the one below is fixed."""
    if below.is_calendar or below.every.months:
        return "give both tiers the same time zone and offset, or let this one read a finer tier"
    rests = [
        (bound - below.floor(bound)) // timedelta(microseconds=1) for bound in (window.start, window.stop)
    ]
    step = gcd(below.every.nanoseconds, *(rest * 1000 for rest in rests))
    return f"let it read a tier of every={Duration(0, step)} or finer, or give the tier below another offset"
