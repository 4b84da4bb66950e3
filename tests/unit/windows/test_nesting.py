"""Windows made of whole windows of another grid, and the windows that a shorter interval is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import WindowMisaligned
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.nesting import cells_below, require_nested
from airflow_provider_influx_rollup.windows.touched import windows_ending, windows_touched

NESTED = [
    (Grid.of("5m"), Grid.of("1h")),
    (Grid.of("1h"), Grid.of("1d", timezone="Europe/Berlin")),
    (Grid.of("1h", "15m"), Grid.of("1d", timezone="Asia/Kathmandu")),
    (Grid.of("30m"), Grid.of("1d", timezone="Australia/Lord_Howe")),
    (Grid.of("1h"), Grid.of("1d", timezone="America/Sao_Paulo")),
    (Grid.of("1d", timezone="Europe/Berlin"), Grid.of("1mo", timezone="Europe/Berlin")),
    (Grid.of("1d"), Grid.of("1w")),
    (Grid.of("1mo"), Grid.of("1q")),
    (Grid.of("1h"), Grid.of("1d", "6h", timezone="Europe/Berlin")),
]
NOT_NESTED = [
    (Grid.of("1h"), Grid.of("1d", timezone="Asia/Kathmandu"), "every=15m"),
    # only the winter's days are half an hour off
    (Grid.of("1h"), Grid.of("1d", timezone="Australia/Lord_Howe"), "every=30m"),
    (Grid.of("7m"), Grid.of("1h"), "every=1m"),
    (Grid.of("1h", "10m"), Grid.of("2h"), "every=10m"),
    (Grid.of("1d"), Grid.of("1d", timezone="Europe/Berlin"), "every=1h"),
    (Grid.of("1w"), Grid.of("1mo"), "every=1d"),
    (Grid.of("1d", timezone="Europe/Berlin"), Grid.of("1mo"), "the same time zone"),
    (Grid.of("1mo"), Grid.of("1d"), "the same time zone"),
]


@pytest.mark.parametrize(("below", "above"), NESTED, ids=str)
def test_grids_nest_when_whole_windows_make_each_window(below: Grid, above: Grid) -> None:
    require_nested(below, above)
    window = above.window_at(datetime(2025, 3, 30, 12, tzinfo=UTC))
    cells = cells_below(below, window)
    assert (cells[0].start, cells[-1].stop) == (window.start, window.stop)


@pytest.mark.parametrize(("below", "above", "fix"), NOT_NESTED, ids=str)
def test_grids_are_refused_with_a_fix_when_they_do_not_nest(below: Grid, above: Grid, fix: str) -> None:
    with pytest.raises(WindowMisaligned) as refused:
        require_nested(below, above)
    assert fix in str(refused.value)
    with pytest.raises(WindowMisaligned):
        cells_below(below, refused.value.window)  # type: ignore[arg-type]


def test_windows_are_refused_when_only_their_own_time_does_not_fit() -> None:
    # Nepal's clocks were 30 minutes off until 1986
    below, above = Grid.of("1h", "15m"), Grid.of("1d", timezone="Asia/Kathmandu")
    with pytest.raises(WindowMisaligned):
        cells_below(below, above.window_at(datetime(1980, 1, 1, tzinfo=UTC)))


START = datetime(2025, 3, 28, tzinfo=UTC)


@given(
    cuts=st.lists(st.integers(0, 24 * 60 * 7), min_size=2, unique=True).map(sorted),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
def test_each_window_ends_in_one_interval_when_a_time_is_cut_anywhere(cuts: list[int], zone: str) -> None:
    grid = Grid.of("1d", timezone=zone)
    instants = [START + timedelta(minutes=cut) for cut in cuts]
    found = [
        window for start, stop in pairwise(instants) for window in windows_ending(grid, Interval(start, stop))
    ]
    whole = Interval(instants[0], instants[-1])
    assert found == windows_ending(grid, whole)
    assert all(whole.start < window.stop <= whole.stop for window in found)
    touched = windows_touched(grid, whole)
    assert touched[0].contains(whole.start)
    assert all(window.overlaps(whole) for window in touched)
    assert touched[-1].stop >= whole.stop
    assert [window for window in touched if whole.start < window.stop <= whole.stop] == found


def test_window_is_touched_once_when_the_interval_is_inside_it() -> None:
    hour = Interval(START + timedelta(hours=5), START + timedelta(hours=6))
    grid = Grid.of("1d")
    assert windows_touched(grid, hour) == [Interval(START, START + timedelta(days=1))]
    assert windows_ending(grid, hour) == []
