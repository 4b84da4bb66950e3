from __future__ import annotations

from datetime import datetime

import pytest

from airflow_provider_influx_rollup.exceptions import InvalidDuration, WindowMisaligned
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval


def span(start: str, stop: str) -> Interval:
    return Interval(datetime.fromisoformat(start), datetime.fromisoformat(stop))


def test_windows_stop_inside_the_interval_and_reach_back() -> None:
    grid = Grid.of("1h", period="3h")
    windows = grid.windows(span("2026-01-01T05:00Z", "2026-01-01T07:00Z"))
    assert windows == [
        span("2026-01-01T03:00Z", "2026-01-01T06:00Z"),
        span("2026-01-01T04:00Z", "2026-01-01T07:00Z"),
    ]
    assert grid.is_sliding
    assert grid.cells_per_window == 3


def test_cells_are_those_of_all_windows() -> None:
    cells = Grid.of("1h", period="3h").cells(span("2026-01-01T05:00Z", "2026-01-01T07:00Z"))
    assert [cell.start.hour for cell in cells] == [3, 4, 5, 6]


def test_windows_are_the_tiles_when_period_equals_every() -> None:
    day = span("2026-01-01T00:00Z", "2026-01-02T00:00Z")
    grid = Grid.of("1h", period="60m")
    assert not grid.is_sliding
    assert grid.windows(day) == grid.cells(day) == grid.tile(day)


def test_seven_local_days_slide_over_a_change_of_the_clocks() -> None:
    grid = Grid.of("1d", timezone="America/Los_Angeles", period="7d")
    (window,) = grid.windows(span("2025-03-11T00:00-07:00", "2025-03-12T00:00-07:00"))
    assert window == span("2025-03-05T00:00-08:00", "2025-03-12T00:00-07:00")


def test_quarter_slides_by_months() -> None:
    (window,) = Grid.of("1mo", period="1q").windows(span("2026-01-01T00:00Z", "2026-02-01T00:00Z"))
    assert window == span("2025-11-01T00:00Z", "2026-02-01T00:00Z")


def test_skipped_day_is_no_cell_of_a_sliding_window() -> None:
    grid = Grid.of("1d", timezone="Pacific/Apia", period="3d")
    (window,) = grid.windows(span("2011-12-31T00:00+14:00", "2012-01-01T00:00+14:00"))
    assert window == span("2011-12-28T00:00-10:00", "2012-01-01T00:00+14:00")


def test_misaligned_interval_is_refused_when_windows_slide() -> None:
    with pytest.raises(WindowMisaligned, match="period=3h"):
        Grid.of("1h", period="3h").windows(span("2026-01-01T05:30Z", "2026-01-01T06:30Z"))


@pytest.mark.parametrize(
    ("every", "period", "what"),
    [
        ("1h", "90m", "not a whole multiple"),
        ("1h", "30m", "shorter than"),
        ("1d", "1mo", "different kinds"),
        ("1mo", "30d", "different kinds"),
        ("1h", "0s", "zero"),
    ],
)
def test_period_is_refused_when_it_is_no_multiple(every: str, period: str, what: str) -> None:
    with pytest.raises(InvalidDuration, match=what):
        Grid.of(every, period=period)


def test_fix_names_the_multiples_around() -> None:
    with pytest.raises(InvalidDuration, match="period=1h or period=2h"):
        Grid.of("1h", period="90m")
