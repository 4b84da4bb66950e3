from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def span(start: str, stop: str) -> Interval:
    return Interval(at(start), at(stop))


@pytest.mark.parametrize(
    ("zone", "start", "stop"),
    [
        # the clocks go forward: 23 h
        ("America/Los_Angeles", "2025-03-09T00:00-08:00", "2025-03-10T00:00-07:00"),
        # the clocks go back: 25 h
        ("America/Los_Angeles", "2025-11-02T00:00-07:00", "2025-11-03T00:00-08:00"),
        ("Europe/Berlin", "2025-03-30T00:00+01:00", "2025-03-31T00:00+02:00"),
        ("Europe/Berlin", "2025-10-26T00:00+02:00", "2025-10-27T00:00+01:00"),
        # no changes, 45 minutes off
        ("Asia/Kathmandu", "2025-06-01T00:00+05:45", "2025-06-02T00:00+05:45"),
        # half an hour: 24.5 h and 23.5 h
        ("Australia/Lord_Howe", "2025-04-06T00:00+11:00", "2025-04-07T00:00+10:30"),
        ("Australia/Lord_Howe", "2025-10-05T00:00+10:30", "2025-10-06T00:00+11:00"),
        # no midnight: the day starts at 01:00
        ("America/Sao_Paulo", "2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"),
        ("Asia/Beirut", "2022-03-27T01:00+03:00", "2022-03-28T00:00+03:00"),
        # 00:00 is shown after 23:00 was shown twice: the day before has 25 h
        ("America/Sao_Paulo", "2018-02-17T00:00-02:00", "2018-02-18T00:00-03:00"),
        # midnight is shown twice: the second one counts, as in Airflow's cron
        ("America/Havana", "2025-11-01T00:00-04:00", "2025-11-02T00:00-05:00"),
        ("America/Havana", "2025-11-02T00:00-05:00", "2025-11-03T00:00-05:00"),
        # the clocks go back at one minute past midnight, to 23:01
        ("America/St_Johns", "2010-11-06T00:00-02:30", "2010-11-07T00:00-03:30"),
        # the clocks go forward from 23:30: midnight is half an hour after the jump
        ("America/Toronto", "1919-03-30T00:00-05:00", "1919-03-31T01:00-04:00"),
        # 30 December 2011 does not exist
        ("Pacific/Apia", "2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00"),
        # a day that was lived twice: 47 h
        ("Pacific/Kwajalein", "1969-09-30T00:00+11:00", "1969-10-01T00:00-12:00"),
    ],
)
def test_local_day_has_the_length_its_clocks_give_it(zone: str, start: str, stop: str) -> None:
    grid = Grid.of("1d", timezone=zone)
    day = span(start, stop)
    assert grid.window_at(day.start) == day
    assert grid.window_at(day.stop - timedelta(microseconds=1)) == day
    assert grid.tile(day) == [day]


def test_skipped_local_day_leaves_no_empty_window() -> None:
    days = Grid.of("1d", timezone="Pacific/Apia").tile(
        span("2011-12-29T00:00-10:00", "2012-01-02T00:00+14:00")
    )
    assert [day.duration for day in days] == [24 * HOUR] * 3


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize(
    ("every", "frequency"), [("1d", "D"), ("1w", "W-MON"), ("1mo", "MS"), ("1q", "QS"), ("1y", "YS")]
)
def test_calendar_agrees_with_pandas(zone: str, every: str, frequency: str) -> None:
    bounds = pd.date_range("1999-12-01", "2031-01-31", freq=frequency, tz=zone)
    bounds = [bound.to_pydatetime().astimezone(UTC) for bound in bounds]
    windows = Grid.of(every, timezone=zone).tile(Interval(bounds[0], bounds[-1]))
    assert [window.start for window in windows] == bounds[:-1]
    assert [window.stop for window in windows] == bounds[1:]


def test_day_of_23_hours_moves_when_the_offset_is_six_hours() -> None:
    grid = Grid.of("1d", "6h", "America/Los_Angeles")
    saturday, sunday = grid.tile(span("2025-03-08T06:00-08:00", "2025-03-10T06:00-07:00"))
    assert (saturday.duration, sunday.duration) == (23 * HOUR, 24 * HOUR)


def test_offset_at_a_skipped_time_starts_as_long_after_the_jump() -> None:
    window = Grid.of("1d", "2h30m", "America/Los_Angeles").window_at(at("2025-03-09T12:00-07:00"))
    assert window.start == at("2025-03-09T03:30-07:00")


def test_offset_at_a_time_shown_twice_starts_at_the_second() -> None:
    grid = Grid.of("1d", "1h30m", "America/Los_Angeles")
    assert grid.floor(at("2025-11-02T01:45-07:00")) == at("2025-11-01T01:30-07:00")
    assert grid.floor(at("2025-11-02T01:45-08:00")) == at("2025-11-02T01:30-08:00")


def test_several_days_and_weeks_are_counted_from_1970() -> None:
    berlin = "Europe/Berlin"
    assert Grid.of("5d", timezone=berlin).window_at(at("1970-01-01T00:00+01:00")) == span(
        "1970-01-01T00:00+01:00", "1970-01-06T00:00+01:00"
    )
    # 20,455 days after 1970-01-01 is a multiple of 5
    assert Grid.of("5d", timezone=berlin).floor(at("2026-01-02T00:00+01:00")) == at("2026-01-02T00:00+01:00")
    assert Grid.of("2w", timezone=berlin).floor(at("1970-01-06T00:00+01:00")) == at("1970-01-05T00:00+01:00")


def test_months_are_counted_from_january_1970() -> None:
    grid = Grid.of("5mo")
    assert grid.window_at(at("1970-07-01T00:00Z")) == span("1970-06-01T00:00Z", "1970-11-01T00:00Z")


def test_year_starts_in_october_when_the_offset_is_nine_months() -> None:
    year = Grid.of("1y", "9mo", "Europe/Berlin").window_at(at("2026-01-01T00:00Z"))
    assert year == span("2025-10-01T00:00+02:00", "2026-10-01T00:00+02:00")


def test_month_starts_at_the_fifteenth_when_the_offset_is_fourteen_days() -> None:
    month = Grid.of("1mo", "14d", "America/Los_Angeles").window_at(at("2025-03-20T00:00Z"))
    assert month == span("2025-03-15T00:00-07:00", "2025-04-15T00:00-07:00")
