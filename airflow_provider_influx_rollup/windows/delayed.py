"""Windows that are due a delay after their end: each in exactly one of a row of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from airflow_provider_influx_rollup.windows.duration import DAY_NS, WEEK_NS, Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.local_time import (
    DAY,
    NO_TIME,
    instant_at,
    load_zone,
    meant_clock,
    shift,
    shift_clock,
)

# months clamp by three days at most, and clocks are set by a day at most
REACH_OF_MONTHS, REACH_OF_DAYS = timedelta(days=5), timedelta(days=2)
LAST_DAY_OF_ALL_MONTHS = 28


class Windows(Protocol):
    """Adjacent windows, whoever numbers them."""

    def window_at(self, instant: datetime) -> Interval:
        """Return the window that an instant lies in."""


@dataclass(frozen=True, slots=True)
class Like:
    """The windows before and after one: as long as it is, by the clocks where these give it whole days or months.

    :param one: a data interval
    :param timezone: IANA name
    """

    one: Interval
    timezone: str

    def window_at(self, instant: datetime) -> Interval:
        """Return the window that an instant lies in.

        :param instant: any aware time
        """
        zone, length = load_zone(self.timezone), self.length
        if length.nanoseconds % DAY_NS:
            step = self.one.duration
            start = self.one.start + (instant - self.one.start) // step * step
            return Interval(start, start + step)
        first = meant_clock(self.one.start, zone)

        def bound(number: int) -> datetime:
            return instant_at(shift_clock(first, length, number), zone)

        passed = instant - self.one.start
        number = passed // timedelta(days=31 * length.months) if length.months else passed // length.timedelta
        while bound(number) > instant:
            number -= 1
        while bound(number + 1) <= instant:
            number += 1
        return Interval(bound(number), bound(number + 1))

    @property
    def length(self) -> Duration:
        """Months or days by the clocks of the zone, or what has elapsed."""
        zone = load_zone(self.timezone)
        first, last = meant_clock(self.one.start, zone), meant_clock(self.one.stop, zone)
        months = Duration(max(0, (last.year - first.year) * 12 + last.month - first.month), 0)
        if months.months and first.day <= LAST_DAY_OF_ALL_MONTHS and last == shift_clock(first, months, 1):
            return months
        while last - DAY > first and instant_at(last - DAY, zone) == self.one.stop:
            last -= DAY  # a day that the zone has skipped is none
        days = last - first
        if days and not days % DAY:
            return Duration.of(days)
        return Duration.of(self.one.duration)

    def is_of_a_week(self, delay: Duration) -> bool:
        """Whether such intervals may follow the days of a week, as those of work days do, and are the same after a delay."""
        length = self.length
        is_days = not length.months and not length.nanoseconds % DAY_NS
        return (
            is_days and length.nanoseconds < WEEK_NS and not delay.months and not delay.nanoseconds % WEEK_NS
        )


def delayed(windows: Windows, interval: Interval, delay: Duration, timezone: str) -> list[Interval]:
    """Return the windows whose end + delay lies in ``(start, stop]`` of an interval, in order; maybe none.

    A window has one end, and so is in exactly one of adjacent intervals, whatever months and clocks make of the delay.

    :param windows: a grid, or those like a data interval
    :param interval: of a run
    :param delay: whole days and months are those of the zone's clocks
    :param timezone: IANA name
    :raises WindowError: when the calendar ends there
    """
    begins = _begins(windows)
    reach = NO_TIME if delay.nanoseconds % DAY_NS else REACH_OF_MONTHS if delay.months else REACH_OF_DAYS
    first, last = (shift(edge, delay, timezone, backwards=True) for edge in (interval.start, interval.stop))
    found: list[Interval] = []
    if isinstance(windows, Like) and windows.is_of_a_week(delay):
        return [Interval(first, last)]
    window = windows.window_at(first - reach)
    while window.stop <= last + reach:
        if interval.start < shift(window.stop, delay, timezone, begins=begins) <= interval.stop:
            found.append(window)
        window = windows.window_at(window.stop)
    return found


def _begins(windows: Windows) -> timedelta:
    """The time of day at which windows of whole days begin."""
    if isinstance(windows, Grid) and windows.is_calendar:
        return timedelta(microseconds=windows.offset.nanoseconds % DAY_NS // 1000)
    return NO_TIME
