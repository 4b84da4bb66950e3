from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_provider_influx_rollup.exceptions import WindowError, WindowZeroLength
from airflow_provider_influx_rollup.windows.interval import (
    Interval,
    adjacent_intervals,
    format_instant,
    from_ns,
    to_ns,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_times_are_kept_in_utc_when_given_in_another_zone() -> None:
    east = timezone(timedelta(hours=2))
    interval = Interval(datetime(2026, 1, 1, 2, tzinfo=east), datetime(2026, 1, 1, 3, tzinfo=east))
    assert interval == Interval(T0, T0 + HOUR)
    assert interval.start.tzinfo is UTC


def test_times_become_plain_datetimes_when_given_as_pendulum() -> None:
    pendulum = pytest.importorskip("pendulum")
    interval = Interval(pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 1, 1, 1))
    assert type(interval.start) is datetime
    assert type(interval.stop) is datetime
    assert interval == Interval(T0, T0 + HOUR)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_times_of_pendulum_are_counted_and_written_as_plain_ones(zone: str) -> None:
    pendulum = pytest.importorskip("pendulum")
    theirs = pendulum.instance(T0 + timedelta(microseconds=7)).in_timezone(zone)
    assert to_ns(theirs) == to_ns(T0) + 7_000
    assert format_instant(theirs) == "2026-01-01T00:00:00.000007Z"


def test_zero_length_is_refused() -> None:
    with pytest.raises(WindowZeroLength, match="2026-01-01T00:00:00Z has zero length"):
        Interval(T0, T0)


def test_interval_is_refused_when_stop_is_first_or_time_is_naive() -> None:
    with pytest.raises(WindowError, match="is before start"):
        Interval(T0, T0 - HOUR)
    with pytest.raises(WindowError, match="no time zone"):
        Interval(T0.replace(tzinfo=None), T0)


def test_stop_is_outside_and_start_inside() -> None:
    interval = Interval(T0, T0 + HOUR)
    assert interval.contains(T0)
    assert not interval.contains(T0 + HOUR)
    assert not interval.overlaps(Interval(T0 + HOUR, T0 + 2 * HOUR))
    assert interval.covers(interval)
    assert not interval.covers(Interval(T0, T0 + 2 * HOUR))


def test_nanoseconds_are_exact_when_far_from_the_epoch() -> None:
    instant = datetime(2261, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert to_ns(instant) == 9_214_646_399_999_999_000
    assert from_ns(to_ns(instant)) == instant
    assert to_ns(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1000


def test_text_has_no_trailing_zeros() -> None:
    assert format_instant(T0) == "2026-01-01T00:00:00Z"
    assert format_instant(T0 + timedelta(milliseconds=120)) == "2026-01-01T00:00:00.12Z"
    assert Interval(T0, T0 + HOUR).as_json() == {
        "start": "2026-01-01T00:00:00Z",
        "stop": "2026-01-01T01:00:00Z",
    }


def test_adjacent_intervals_equal_constructed_ones() -> None:
    bounds = [T0, T0 + HOUR, T0 + 3 * HOUR]
    assert adjacent_intervals(bounds) == [Interval(T0, T0 + HOUR), Interval(T0 + HOUR, T0 + 3 * HOUR)]
    assert adjacent_intervals(bounds[:1]) == []
    assert adjacent_intervals([]) == []
