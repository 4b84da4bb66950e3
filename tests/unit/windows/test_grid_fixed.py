from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.exceptions import (
    InvalidDuration,
    InvalidTimezone,
    WindowError,
    WindowMisaligned,
)
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def span(start: str, stop: str) -> Interval:
    return Interval(at(start), at(stop))


def test_hours_tile_a_day() -> None:
    windows = Grid.of("1h").tile(span("2026-01-01T00:00Z", "2026-01-02T00:00Z"))
    assert len(windows) == 24
    assert windows[5] == span("2026-01-01T05:00Z", "2026-01-01T06:00Z")


def test_offset_moves_the_anchor_when_longer_than_every() -> None:
    assert Grid.of("1h", "5m").window_at(at("2026-01-01T05:04Z")) == span(
        "2026-01-01T04:05Z", "2026-01-01T05:05Z"
    )
    assert Grid.of("1h", "3h5m").floor(at("2026-01-01T05:06Z")) == at("2026-01-01T05:05Z")


def test_anchor_is_the_epoch_when_every_does_not_divide_a_day() -> None:
    # 7 minutes since the epoch, counted by hand: 1767225600 s = 4207680 * 420 s
    assert Grid.of("7m").floor(at("2026-01-01T00:00Z")) == at("2026-01-01T00:00Z")
    assert Grid.of("7m").floor(at("2026-01-01T01:00Z")) == at("2026-01-01T00:56Z")


def test_windows_before_the_epoch_are_anchored_alike() -> None:
    assert Grid.of("7h").window_at(at("1969-12-31T23:59:59Z")) == span(
        "1969-12-31T17:00Z", "1970-01-01T00:00Z"
    )


def test_weeks_start_on_monday_in_utc() -> None:
    window = Grid.of("1w").window_at(at("2026-01-01T12:00Z"))
    assert window == span("2025-12-29T00:00Z", "2026-01-05T00:00Z")
    assert Grid.of("2w").floor(at("1970-01-05T00:00Z")) == at("1970-01-05T00:00Z")
    assert Grid.of("7d") == Grid.of("1w")


def test_days_in_utc_are_fixed_and_in_a_zone_are_not() -> None:
    assert not Grid.of("1d").is_calendar
    assert not Grid.of("1h", timezone="Europe/Berlin").is_calendar
    assert Grid.of("1d", timezone="Europe/Berlin").is_calendar
    assert Grid.of("24h", timezone="Europe/Berlin").is_calendar
    assert Grid.of("1mo").is_calendar


def test_hours_stay_at_full_hours_of_utc_when_the_zone_is_45_minutes_off() -> None:
    grid = Grid.of("1h", timezone="Asia/Kathmandu")
    assert grid.floor(at("2026-01-01T00:00+05:45")) == at("2025-12-31T18:00Z")
    assert Grid.of("1h", "15m", "Asia/Kathmandu").floor(at("2026-01-01T00:30+05:45")) == at(
        "2026-01-01T00:00+05:45"
    )


def test_floor_and_ceil_keep_an_instant_on_the_grid() -> None:
    grid = Grid.of("1h")
    on, off = at("2026-01-01T05:00Z"), at("2026-01-01T05:00:00.000001Z")
    assert grid.floor(on) == grid.ceil(on) == on
    assert (grid.floor(off), grid.ceil(off)) == (on, at("2026-01-01T06:00Z"))


def test_misaligned_interval_is_refused_with_both_neighbours_and_the_offset() -> None:
    with pytest.raises(WindowMisaligned) as caught:
        Grid.of("1h").tile(span("2026-01-01T04:05Z", "2026-01-01T05:05Z"))
    text = str(caught.value)
    assert "[2026-01-01T04:05:00Z, 2026-01-01T05:05:00Z)" in text
    assert "[2026-01-01T04:00:00Z, 2026-01-01T05:00:00Z)" in text
    assert "[2026-01-01T05:00:00Z, 2026-01-01T06:00:00Z)" in text
    assert "offset='5m'" in text
    assert caught.value.permanent


def test_time_zone_is_advised_before_an_offset_when_local_days_meet_days_of_utc() -> None:
    day = Interval(datetime(2025, 1, 14, 23, tzinfo=UTC), datetime(2025, 1, 15, 23, tzinfo=UTC))
    with pytest.raises(WindowMisaligned) as caught:
        Grid.of("1d").tile(day)
    assert str(caught.value.fix).startswith("give the timezone= of the schedule")
    assert Grid.of("1d", timezone="Europe/Berlin").tile(day) == [day]
    assert "offset='23h'" in str(caught.value.fix)


@pytest.mark.parametrize(("every", "offset"), [("1w", "1d"), ("2d", "1d")])
def test_no_time_zone_is_advised_when_days_begin_at_midnight_of_utc(every: str, offset: str) -> None:
    # a Tuesday, and an odd day
    interval = Interval(datetime(2025, 1, 21, tzinfo=UTC), datetime(2025, 2, 4, tzinfo=UTC))
    with pytest.raises(WindowMisaligned) as caught:
        Grid.of(every).tile(interval)
    assert caught.value.fix == f"give offset='{offset}', or a start and stop on the grid"


def test_offset_in_the_fix_tiles_the_interval_when_the_grid_has_an_offset_or_weeks() -> None:
    for every, offset in (("1h", "20m"), ("1w", "0s"), ("2d", "6h")):
        interval = Interval(at("2026-01-01T04:05Z"), at("2026-01-01T04:05Z") + timedelta(weeks=2))
        with pytest.raises(WindowMisaligned) as caught:
            Grid.of(every, offset).tile(interval)
        fitting = str(caught.value.fix).split("'")[1]
        assert Grid.of(every, fitting).tile(interval)[0].start == interval.start


def test_interval_inside_one_window_names_that_window() -> None:
    with pytest.raises(WindowMisaligned, match=r"tiles: \[2026-01-01T04:00:00Z, 2026-01-01T05:00:00Z\)"):
        Grid.of("1h").tile(span("2026-01-01T04:05Z", "2026-01-01T04:10Z"))


def test_half_a_window_too_much_names_the_shorter_and_the_longer_interval() -> None:
    with pytest.raises(WindowMisaligned) as caught:
        Grid.of("1h").tile(span("2026-01-01T04:00Z", "2026-01-01T05:30Z"))
    assert "04:00:00Z, 2026-01-01T05:00:00Z) and [2026-01-01T04:00:00Z, 2026-01-01T06" in str(caught.value)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "", "../etc/passwd", "+02:00", "europe berlin"])
def test_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidTimezone, match="Europe/Berlin"):
        Grid.of("1d", timezone=zone)


def test_zone_objects_are_taken_by_name() -> None:
    pendulum = pytest.importorskip("pendulum")
    assert Grid.of("1d", timezone=UTC) == Grid.of("1d", timezone="UTC")
    assert Grid.of("1d", timezone=pendulum.timezone("Europe/Berlin")) == Grid.of("1d", "0s", "Europe/Berlin")


@pytest.mark.parametrize(
    ("every", "offset", "what"),
    [
        ("1500ns", "0s", "every=1us500ns is not a whole number"),
        ("1h", "1ns", "offset=1ns is not a whole number"),
        ("1h", "1mo", "in months"),
        ("0s", "0s", "zero"),
        ("1h", "-5m", "negative"),
    ],
)
def test_impossible_grid_is_refused(every: str, offset: str, what: str) -> None:
    with pytest.raises(InvalidDuration, match=what):
        Grid.of(every, offset)


def test_too_many_windows_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(WindowError, match="1,000,000"):
        Grid.of("1us").tile(span("2026-01-01T00:00Z", "2026-01-02T00:00Z"))


def test_naive_instant_is_refused() -> None:
    with pytest.raises(WindowError, match="no time zone"):
        Grid.of("1h").window_at(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_end_of_time_is_an_error_of_ours() -> None:
    with pytest.raises(WindowError, match="years 1 to 9999"):
        Grid.of("1d").window_at(datetime.max.replace(tzinfo=UTC))
    with pytest.raises(WindowError, match="years 1 to 9999"):
        Grid.of("5000y").window_at(at("7000-01-01T00:00Z"))


def test_grid_prints_as_it_is_written() -> None:
    assert str(Grid.of("60m", "5m")) == "every=1h offset=5m timezone=UTC"
    assert str(Grid.of("1d", period="7d")) == "every=1d period=1w offset=0s timezone=UTC"
