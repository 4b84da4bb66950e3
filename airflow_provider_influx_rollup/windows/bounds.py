"""The numbered bounds of a grid: bound k is where window k starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from airflow_provider_influx_rollup.windows.duration import DAY_NS, WEEK_NS, Duration
from airflow_provider_influx_rollup.windows.interval import EPOCH
from airflow_provider_influx_rollup.windows.local_time import (
    UTC_NAMES,
    instant_at,
    load_zone,
    wall_clock,
)

# the epoch is a Thursday; weeks start on the Monday after it
MONDAY = timedelta(days=4)
FIRST_MONTH = 1970 * 12


class Bounds(Protocol):
    """The bounds of a grid. They never decrease; equal ones enclose nothing."""

    def at(self, number: int) -> datetime:
        """Return bound ``number``, in UTC."""

    def number_at(self, instant: datetime) -> int:
        """Return the number of the last bound at or before an instant."""

    def between(self, first: int, last: int) -> list[datetime]:
        """Return the distinct bounds from number ``first`` to number ``last``, both included."""


@dataclass(frozen=True, slots=True)
class FixedBounds:
    """Bounds at equal distances.

    :param anchor: one of the bounds, in UTC
    :param step: the distance
    """

    anchor: datetime
    step: timedelta

    def at(self, number: int) -> datetime:
        """Return bound ``number``, in UTC."""
        return self.anchor + number * self.step

    def number_at(self, instant: datetime) -> int:
        """Return the number of the last bound at or before an instant."""
        return (instant - self.anchor) // self.step

    def between(self, first: int, last: int) -> list[datetime]:
        """Return the bounds from number ``first`` to number ``last``, both included."""
        start = self.at(first)
        return [start + count * self.step for count in range(last - first + 1)]


@dataclass(frozen=True, slots=True)
class CalendarBounds:
    """Bounds at wall-clock times of a zone: local days, weeks, months, quarters or years.

    :param every: whole days or months
    :param offset: how much later than the calendar a window starts, by the wall clock
    :param timezone: an IANA name
    """

    every: Duration
    offset: Duration
    timezone: str

    def at(self, number: int) -> datetime:
        """Return bound ``number``, in UTC: the instant that Airflow's cron means by its wall-clock time."""
        return instant_at(self._local(number), load_zone(self.timezone))

    def number_at(self, instant: datetime) -> int:
        """Return the number of the last bound at or before an instant."""
        number = self._estimate(wall_clock(instant, load_zone(self.timezone)))
        # clocks that were set back show an earlier cell again; before that they have shown one that begins later
        while self.at(number) > instant:
            number -= 1
        while self.at(number + 1) <= instant:
            number += 1
        return number

    def between(self, first: int, last: int) -> list[datetime]:
        """Return the distinct bounds from number ``first`` to number ``last``, both included.

        A zone that skips a whole day has two equal bounds: that day does not exist there.
        """
        return list(dict.fromkeys(map(self.at, range(first, last + 1))))

    def _local(self, number: int) -> datetime:
        if self.every.months:
            months = FIRST_MONTH + number * self.every.months + self.offset.months
            start = datetime(months // 12, months % 12 + 1, 1)  # noqa: DTZ001 - a wall-clock time
            return start if self.offset.months else start + self.offset.timedelta
        return _first_local_day(self.every) + number * self.every.timedelta + self.offset.timedelta

    def _estimate(self, local: datetime) -> int:
        if self.every.months:
            if not self.offset.months:
                local -= self.offset.timedelta
            months = local.year * 12 + local.month - 1 - self.offset.months
            return (months - FIRST_MONTH) // self.every.months
        return (local - self.offset.timedelta - _first_local_day(self.every)) // self.every.timedelta


def is_calendar(every: Duration, timezone: str) -> bool:
    """Whether windows follow the calendar of a zone: months anywhere, whole days except in UTC."""
    return bool(every.months) or (every.nanoseconds % DAY_NS == 0 and timezone not in UTC_NAMES)


def bounds_of(every: Duration, offset: Duration, timezone: str) -> Bounds:
    """Return the bounds of a grid.

    :param every: positive, whole microseconds
    :param offset: zero or positive, whole microseconds; months only with months
    :param timezone: an IANA name; matters for whole days and months only
    """
    if is_calendar(every, timezone):
        return CalendarBounds(every, offset, timezone)
    first = _first_local_day(every).replace(tzinfo=UTC)
    shifted = (first - EPOCH + offset.timedelta) % every.timedelta
    return FixedBounds(EPOCH + shifted, every.timedelta)


def _first_local_day(every: Duration) -> datetime:
    """Return the wall-clock time that whole days (1970-01-01) or weeks (a Monday) are counted from."""
    midnight = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall-clock time
    return midnight + MONDAY if every.nanoseconds % WEEK_NS == 0 else midnight
