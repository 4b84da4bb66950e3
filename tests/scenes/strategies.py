"""Hypothesis strategies for time: zones, durations, grids, intervals and partitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from hypothesis import strategies as st

from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL_ZONES = sorted(available_timezones())
# zones whose clocks did something rare: no midnight, half an hour, a whole day, 45 minutes, twice a midnight
ODD_ZONES = [
    "America/Havana",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Africa/Monrovia",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
]
FIXED = ["1s", "10s", "1m", "7m", "15m", "1h", "90m", "6h", "36h"]
CALENDAR = ["1d", "2d", "5d", "1w", "2w", "1mo", "5mo", "1q", "1y"]
FIRST_YEAR, LAST_YEAR = datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

DAY = timedelta(days=1)


def zones() -> st.SearchStrategy[str]:
    """Any zone of the zone database, the odd ones more often."""
    return st.one_of(st.sampled_from(ALL_ZONES), st.sampled_from(ODD_ZONES))


def durations() -> st.SearchStrategy[Duration]:
    """Any duration, zero included."""
    fixed = st.integers(0, 2**63 - 1).map(lambda count: Duration(0, count))
    sizes = [10**3, 10**6, 10**9, 60 * 10**9, 3600 * 10**9, 86_400 * 10**9, 604_800 * 10**9]
    whole = st.tuples(st.integers(0, 9_999), st.sampled_from(sizes)).map(lambda p: Duration(0, p[0] * p[1]))
    return st.one_of(fixed, whole, st.integers(0, 12 * 9_999).map(lambda count: Duration(count, 0)))


def instants(first: datetime = FIRST_YEAR, last: datetime = LAST_YEAR) -> st.SearchStrategy[datetime]:
    """Any microsecond between two UTC instants."""
    micros = (last - first) // timedelta(microseconds=1)
    return st.integers(0, micros).map(lambda count: first + timedelta(microseconds=count))


@st.composite
def intervals(draw: st.DrawFn, longest: timedelta = timedelta(days=400)) -> Interval:
    """Any interval, aligned to nothing."""
    start = draw(instants())
    micros = draw(st.integers(1, longest // timedelta(microseconds=1)))
    return Interval(start, start + timedelta(microseconds=micros))


@st.composite
def grids(draw: st.DrawFn, every: Sequence[str] = (*FIXED, *CALENDAR), sliding: bool = False) -> Grid:
    """Any grid; with ``sliding`` also windows of two to nine cells."""
    step = Duration.parse(draw(st.sampled_from(every)))
    minutes = draw(st.one_of(st.just(0), st.integers(0, 2 * 24 * 60)))
    count = draw(st.integers(2, 9)) if sliding else 1
    period = Duration(step.months * count, step.nanoseconds * count)
    return Grid.of(step, timedelta(minutes=minutes), draw(zones()), period)


@st.composite
def partitions(draw: st.DrawFn, grid: Grid, cells: int = 40) -> tuple[Interval, list[Interval]]:
    """An interval on a grid, and the same cut on the grid into intervals, in any order and with repeats."""
    bounds = [grid.floor(draw(instants(datetime(1960, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC))))]
    for _ in range(draw(st.integers(1, cells))):
        bounds.append(grid.window_at(bounds[-1]).stop)
    whole = Interval(bounds[0], bounds[-1])
    return whole, draw(partitions_of(whole, grid, most_cuts=8, most_repeats=3))


@st.composite
def partitions_of(
    draw: st.DrawFn, whole: Interval, grid: Grid, most_cuts: int, most_repeats: int
) -> list[Interval]:
    """An interval cut on a grid into intervals, in any order and with repeats."""
    bounds = [whole.start]
    while bounds[-1] < whole.stop:
        bounds.append(grid.window_at(bounds[-1]).stop)
    inner = draw(st.lists(st.sampled_from(bounds), max_size=most_cuts))
    cuts = sorted({bounds[0], *inner, bounds[-1]})
    parts = [Interval(start, stop) for start, stop in pairwise(cuts)]
    repeats = draw(st.lists(st.sampled_from(parts), max_size=most_repeats))
    return list(draw(st.permutations(parts + repeats)))
