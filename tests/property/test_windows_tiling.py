"""Windows of any zone and any year tile the time line exactly.

The oracle reads wall clocks only: it never turns a wall-clock time into an instant, which is where the product could
be wrong. ``tests/airflow/test_timetable_edges.py`` compares the same bounds with Airflow's own.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.examples import examples
from tests.scenes.strategies import ALL_ZONES, CALENDAR, grids, instants, intervals, partitions, zones

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


def shown_cell(instant: datetime, zone: ZoneInfo, every: str, offset: timedelta) -> int:
    """Number of the calendar cell that the clocks of a zone show."""
    local = instant.astimezone(zone).replace(tzinfo=None) - offset
    months = {"1mo": 1, "5mo": 5, "1q": 3, "1y": 12}
    if every in months:
        return ((local.year - 1970) * 12 + local.month - 1) // months[every]
    days = {"1d": 1, "2d": 2, "5d": 5, "1w": 7, "2w": 14}
    first = date(1970, 1, 5) if every.endswith("w") else date(1970, 1, 1)
    return (local.date() - first).days // days[every]


def passes(instant: datetime, zone: ZoneInfo, every: str, offset: timedelta) -> bool:
    """Whether the clocks reach a new cell at an instant, and never again show an earlier one."""
    step = timedelta(minutes=7)
    # no clock was ever set back by more than a day: three days are enough to know what will be shown
    later = min(shown_cell(instant + i * step, zone, every, offset) for i in range(620))
    return shown_cell(instant - MICROSECOND, zone, every, offset) < later


def jump_before(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    """How far the clocks jumped in the day before an instant, if they did."""
    shown = [instant - MICROSECOND - i * timedelta(minutes=1) for i in range(24 * 60 + 1)]
    for later, earlier in pairwise(shown):
        moved = later.astimezone(zone).replace(tzinfo=None) - earlier.astimezone(zone).replace(tzinfo=None)
        if moved > timedelta(minutes=1):
            return moved
    return None


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from(CALENDAR), zones(), st.integers(0, 1439), instants(), st.data())
def test_window_holds_what_its_clocks_show_when_the_calendar_is_local(
    every: str, zone_name: str, minutes: int, instant: datetime, data: st.DataObject
) -> None:
    offset, zone = timedelta(minutes=minutes), ZoneInfo(zone_name)
    window = Grid.of(every, offset, zone_name).window_at(instant)
    assert window.contains(instant)
    for bound in (window.start, window.stop):
        # a bound that the clocks jumped over lies after the jump, as long as it would lie after its begin
        assert passes(bound, zone, every, offset) or jump_before(bound, zone), bound
    cell = shown_cell(window.stop - MICROSECOND, zone, every, offset)
    if jump_before(window.stop, zone) is None:
        assert shown_cell(window.start + DAY, zone, every, offset) in (cell, cell + 1)
    inside = data.draw(instants(window.start, window.stop - MICROSECOND))
    # a day's clocks: what they show inside is this cell, or one that is shown again
    if window.start + DAY < inside < window.stop - DAY:
        assert shown_cell(inside, zone, every, offset) == cell


@settings(max_examples=examples(150), deadline=None)
@given(grids(), intervals())
def test_windows_have_no_gap_and_no_overlap_when_tiled(grid: Grid, about: Interval) -> None:
    short = about.start + min(
        about.duration, 2000 * timedelta(microseconds=grid.every.nanoseconds // 1000) or DAY
    )
    whole = Interval(grid.floor(about.start), max(grid.ceil(short), grid.window_at(about.start).stop))
    windows = grid.tile(whole)
    assert windows[0].start == whole.start
    assert windows[-1].stop == whole.stop
    assert all(left.stop == right.start for left, right in pairwise(windows))
    assert all(window.start < window.stop for window in windows)


@settings(max_examples=examples(150), deadline=None)
@given(grids(), instants(), st.data())
def test_instant_lies_in_one_window_when_asked_from_anywhere_in_it(
    grid: Grid, instant: datetime, data: st.DataObject
) -> None:
    window = grid.window_at(instant)
    other = data.draw(instants(window.start, window.stop - MICROSECOND))
    assert grid.window_at(other) == window
    assert grid.window_at(window.stop).start == window.stop
    assert grid.window_at(window.start - MICROSECOND).stop == window.start
    assert grid.floor(other) <= other <= grid.ceil(other)


@settings(max_examples=examples(100), deadline=None)
@given(grids().filter(lambda grid: not grid.is_calendar), instants())
def test_fixed_windows_are_multiples_of_every_when_not_in_the_calendar(grid: Grid, instant: datetime) -> None:
    every = grid.every.nanoseconds
    monday = 4 * 86_400 * 10**9 if every % (7 * 86_400 * 10**9) == 0 else 0
    window = grid.window_at(instant)
    assert window.stop_ns - window.start_ns == every
    assert (window.start_ns - grid.offset.nanoseconds - monday) % every == 0


@settings(max_examples=examples(150), deadline=None)
@given(st.booleans().flatmap(lambda sliding: grids(sliding=sliding)), st.data())
def test_windows_are_the_same_when_the_range_is_partitioned_in_any_way(
    grid: Grid, data: st.DataObject
) -> None:
    whole, parts = data.draw(partitions(grid))
    expected = grid.windows(whole)
    assert len(expected) == len(set(expected))
    assert {window for part in parts for window in grid.windows(part)} == set(expected)
    once = sorted(set(parts))
    assert [window for part in once for window in grid.windows(part)] == expected


@settings(max_examples=examples(100), deadline=None)
@given(grids(sliding=True), st.data())
def test_sliding_windows_hold_their_number_of_cells(grid: Grid, data: st.DataObject) -> None:
    whole, _ = data.draw(partitions(grid))
    cells, count = grid.cells(whole), grid.cells_per_window
    windows = grid.windows(whole)
    assert all(left.stop == right.start for left, right in pairwise(cells))
    assert [window.stop for window in windows] == [cell.stop for cell in grid.tile(whole)]
    for window in windows:
        assert sum(window.covers(cell) for cell in cells) == count
    assert windows[0].start == cells[0].start


def test_days_of_every_zone_tile_2011() -> None:
    # Samoa skipped a day in 2011, and Egypt, Russia and others changed their rules
    start, stop = datetime(2010, 12, 31, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC)
    for name in ALL_ZONES:
        grid, zone = Grid.of("1d", timezone=name), ZoneInfo(name)
        days = grid.tile(Interval(grid.floor(start), grid.ceil(stop)))
        shown = [day.start.astimezone(zone).date() for day in days]
        assert shown == sorted(set(shown)), name
        skipped = [right for left, right in pairwise(shown) if right - left != DAY]
        assert skipped == ([date(2011, 12, 31)] if name in {"Pacific/Apia", "Pacific/Fakaofo"} else []), name
