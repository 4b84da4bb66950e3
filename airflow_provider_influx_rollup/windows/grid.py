"""The grid: which windows there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_influx_rollup.exceptions import InvalidDuration, WindowError
from airflow_provider_influx_rollup.windows.alignment import misaligned
from airflow_provider_influx_rollup.windows.bounds import Bounds, FixedBounds, bounds_of, is_calendar
from airflow_provider_influx_rollup.windows.duration import DAY_NS, WEEK_NS, Duration
from airflow_provider_influx_rollup.windows.interval import (
    EPOCH,
    Interval,
    adjacent_intervals,
    format_instant,
)
from airflow_provider_influx_rollup.windows.local_time import zone_name
from airflow_provider_influx_rollup.windows.sliding import cells_per_window, sliding_windows

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WINDOWS = 1_000_000

T = TypeVar("T")
cached_bounds = lru_cache(maxsize=256)(bounds_of)


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows that tile the time line: no gap, no overlap, none empty. Make one with ``Grid.of``.

    - Durations below a day, and all that are not whole days, are fixed: anchored at the epoch + offset in UTC.
      A zone does not change them, so ``1h`` starts at full hours of UTC even where clocks are 30 or 45
      minutes off; give an offset of 30m or 15m to follow such clocks.
    - Whole days in a zone are local days, of 23 or 25 hours at a change of the clocks; several days are counted
      from the local 1970-01-01. In UTC they are fixed. ``24h`` is ``1d``.
    - Whole weeks start on Monday, in UTC too; ``7d`` is ``1w``. Several are counted from Monday 1970-01-05.
    - Months, quarters and years are local calendar months; several are counted from January 1970.
    - In a calendar grid the offset moves the wall-clock time: days with offset ``6h`` start at 06:00. Windows start
      where Airflow's cron has its runs: of a time that clocks show twice the second counts, and a time that they jump
      over, such as 02:30, is as long after the jump.

    :param every: distance between window starts
    :param offset: how much later than the anchor they start; zero or more
    :param timezone: IANA name
    :param period: length of a window, a whole multiple of every; equal to every unless windows slide
    """

    every: Duration
    offset: Duration
    timezone: str
    period: Duration

    @classmethod
    def of(
        cls,
        every: str | timedelta | Duration,
        offset: str | timedelta | Duration = "0s",
        timezone: str | tzinfo = "UTC",
        period: str | timedelta | Duration | None = None,
    ) -> Grid:
        """Make a grid from what a user writes.

        :param every: a Flux duration such as ``1h``, ``1d``, ``1mo``, or a timedelta
        :param offset: the same kinds, or zero; months only where every is in months
        :param timezone: IANA name such as ``Europe/Berlin``
        :param period: None, or longer than every for sliding windows
        :raises InvalidDuration: when one cannot be read or they do not fit each other
        :raises InvalidTimezone: when there is no such zone
        """
        step, shift = Duration.of(every), Duration.of(offset, allow_zero=True)
        length = step if period is None else Duration.of(period)
        for name, duration in (("every", step), ("offset", shift)):
            if duration.nanoseconds % 1000:
                what = f"{name}={duration} is not a whole number of microseconds"
                raise InvalidDuration(what, fix="use us or longer units")
        if shift.months and not step.months:
            what = f"offset={shift} is in months but every={step} is not"
            raise InvalidDuration(what, fix="give an offset in units of fixed length, such as 6h")
        cells_per_window(step, length)
        return cls(step, shift, zone_name(timezone), length)

    def __str__(self) -> str:
        """The grid as a user writes it."""
        sliding = f" period={self.period}" if self.is_sliding else ""
        return f"every={self.every}{sliding} offset={self.offset} timezone={self.timezone}"

    @property
    def is_calendar(self) -> bool:
        """Whether windows follow a calendar, so that their lengths may differ."""
        return is_calendar(self.every, self.timezone)

    @property
    def is_sliding(self) -> bool:
        """Whether windows are longer than their distance."""
        return self.period != self.every

    @property
    def cells_per_window(self) -> int:
        """Number of cells of ``every`` in a window; 1 unless windows slide."""
        return cells_per_window(self.every, self.period)

    def window_at(self, instant: datetime) -> Interval:
        """Return the cell of ``every`` that an instant lies in; the window itself unless windows slide.

        :param instant: any aware time
        :raises WindowError: when the instant has no time zone, or the grid leaves the years 1 to 9999
        """
        return self._inside_years(lambda bounds: _cell(bounds, bounds.number_at(_utc(instant))))

    def floor(self, instant: datetime) -> datetime:
        """Return the last bound at or before an instant.

        :param instant: any aware time
        """
        return self.window_at(instant).start

    def ceil(self, instant: datetime) -> datetime:
        """Return the first bound at or after an instant.

        :param instant: any aware time
        """
        cell = self.window_at(instant)
        return cell.start if cell.start == instant else cell.stop

    def tile(self, interval: Interval) -> list[Interval]:
        """Cut an interval into cells of ``every``, in order.

        :param interval: must start and stop on the grid
        :raises WindowMisaligned: when it does not
        :raises WindowError: when there are more than a million
        """
        return self._tile_after(interval, 0)

    def cells(self, interval: Interval) -> list[Interval]:
        """Return the cells that the windows of an interval are made of, in order.

        :param interval: must start and stop on the grid
        :return: the tiles, with the cells before the start that sliding windows reach back to
        :raises WindowMisaligned: when the interval is not on the grid
        """
        return self._tile_after(interval, self.cells_per_window - 1)

    def windows(self, interval: Interval) -> list[Interval]:
        """Return the windows of an interval, in order of their stops.

        Tumbling windows are its tiles. Sliding windows are those that stop in ``(start, stop]``, so any
        partition of a range into intervals has each window once; each has the same number of cells.

        :param interval: must start and stop on the grid
        :raises WindowMisaligned: when it does not
        """
        cells = self.cells(interval)
        return sliding_windows(cells, self.cells_per_window) if self.is_sliding else cells

    def _tile_after(self, interval: Interval, cells_before: int) -> list[Interval]:
        def cut(bounds: Bounds) -> list[Interval]:
            first, last = bounds.number_at(interval.start), bounds.number_at(interval.stop)
            if bounds.at(first) != interval.start or bounds.at(last) != interval.stop:
                raise self._misaligned(interval, bounds)
            if last - first + cells_before > MAX_WINDOWS:
                what = f"the grid {self} cuts the interval into {last - first:,} windows"
                fix = f"stay below {MAX_WINDOWS:,}: a longer every, or a shorter interval"
                raise WindowError(what, window=interval, written="nothing was written", fix=fix)
            return adjacent_intervals(bounds.between(_cells_back(bounds, first, cells_before), last))

        return self._inside_years(cut)

    def _misaligned(self, interval: Interval, bounds: Bounds) -> WindowError:
        starts, stops = ((self.floor(at), self.ceil(at)) for at in (interval.start, interval.stop))
        offset = _fitting_offset(interval, self.every, bounds)
        # midnights of UTC are those of no local days that need another zone
        is_in_days = offset is not None and offset.nanoseconds % DAY_NS == 0
        may_be_local = self.every.nanoseconds % DAY_NS == 0 and not is_in_days
        return misaligned(interval, starts, stops, str(self), offset, may_be_local=may_be_local)

    def _inside_years(self, work: Callable[[Bounds], T]) -> T:
        """Run with the bounds; what datetime cannot hold becomes an error of ours."""
        try:
            return work(cached_bounds(self.every, self.offset, self.timezone))
        except (OverflowError, ValueError) as error:
            what = f"the grid {self} leaves the years 1 to 9999 here"
            raise WindowError(what, fix="give a shorter every or period, or other times") from error


def _cell(bounds: Bounds, number: int) -> Interval:
    return Interval(bounds.at(number), bounds.at(number + 1))


def _cells_back(bounds: Bounds, number: int, count: int) -> int:
    """Return the bound that lies ``count`` cells before another; a skipped local day is no cell."""
    for _ in range(count):
        here = bounds.at(number)
        while bounds.at(number) == here:
            number -= 1
    return number


def _fitting_offset(interval: Interval, every: Duration, bounds: Bounds) -> Duration | None:
    """Return the offset with which fixed windows of this length would tile an interval, if any."""
    if not isinstance(bounds, FixedBounds) or interval.duration % bounds.step:
        return None
    # weeks are anchored at a Monday, four days after the epoch
    anchor = timedelta(days=4) if every.nanoseconds % WEEK_NS == 0 else timedelta()
    return Duration.of((interval.start - EPOCH - anchor) % bounds.step, allow_zero=True)


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        what = f"the time {instant.isoformat()} has no time zone"
        raise WindowError(what, fix=f"pass an aware datetime, such as {format_instant(EPOCH)}")
    return instant.astimezone(UTC)
