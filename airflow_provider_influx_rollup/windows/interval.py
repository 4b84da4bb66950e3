"""One frozen half-open span of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import WindowError, WindowZeroLength

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_ns(instant: datetime) -> int:
    """Nanoseconds since the epoch, exactly (``datetime.timestamp()`` is a float)."""
    # datetimes of pendulum, which Airflow gives to templates, have a minus of their own whose result cannot be divided
    return datetime.__sub__(instant, EPOCH) // MICROSECOND * 1000


def from_ns(nanoseconds: int) -> datetime:
    """Aware UTC instant of a whole number of microseconds; finer digits are cut off."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with ``Z``, without trailing zeros."""
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.rstrip("0").rstrip(".") + "Z" if "." in text else text + "Z"


@dataclass(frozen=True, order=True, slots=True)
class Interval:
    """A span ``[start, stop)`` of aware UTC instants, never empty.

    :param start: first instant inside; any aware time, kept in UTC
    :param stop: first instant after it
    :raises WindowZeroLength: when start equals stop
    :raises WindowError: when a time is naive or stop is before start
    """

    start: datetime
    stop: datetime

    def __post_init__(self) -> None:
        for name in ("start", "stop"):
            instant = getattr(self, name)
            if instant.tzinfo is None:
                what = f"{name} {instant.isoformat()} has no time zone"
                raise WindowError(what, fix="pass an aware datetime")
            utc = instant.astimezone(UTC)
            # a plain datetime: pendulum's subclass compares equal but pickles and prints differently
            plain = datetime(
                utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, tzinfo=UTC
            )
            object.__setattr__(self, name, plain)
        if self.start == self.stop:
            what = f"the interval at {format_instant(self.start)} has zero length"
            raise WindowZeroLength(what, fix="give a stop after the start")
        if self.stop < self.start:
            what = f"stop {format_instant(self.stop)} is before start {format_instant(self.start)}"
            raise WindowError(what, fix="swap them")

    @classmethod
    def spanning(cls, windows: Collection[Interval]) -> Interval:
        """From the first start to the last stop.

        :param windows: at least one, in any order
        """
        return cls(min(one.start for one in windows), max(one.stop for one in windows))

    @classmethod
    def spanning_ordered(cls, windows: Sequence[Interval]) -> Interval:
        """What ``spanning`` gives, without a look at each: for windows in ascending order that stop so too."""
        return cls(windows[0].start, windows[-1].stop)

    @classmethod
    def of_starts(cls, windows: Sequence[Interval]) -> Interval:
        """The interval in which the starts of some windows lie, where their receipts and rows are.

        :param windows: in order, at least one
        """
        return cls(windows[0].start, windows[-1].start + MICROSECOND)

    def __str__(self) -> str:
        """``[start, stop)`` in RFC 3339."""
        return f"[{format_instant(self.start)}, {format_instant(self.stop)})"

    @property
    def duration(self) -> timedelta:
        """Elapsed time from start to stop."""
        return self.stop - self.start

    @property
    def start_ns(self) -> int:
        """Start in nanoseconds since the epoch."""
        return to_ns(self.start)

    @property
    def stop_ns(self) -> int:
        """Stop in nanoseconds since the epoch."""
        return to_ns(self.stop)

    def contains(self, instant: datetime) -> bool:
        """Whether an instant lies in ``[start, stop)``."""
        return self.start <= instant < self.stop

    def covers(self, other: Interval) -> bool:
        """Whether all of another interval lies in this one."""
        return self.start <= other.start and other.stop <= self.stop

    def overlaps(self, other: Interval) -> bool:
        """Whether the two share an instant."""
        return self.start < other.stop and other.start < self.stop

    def as_json(self) -> dict[str, str]:
        """``{"start", "stop"}`` in RFC 3339, as stages return it."""
        return {"start": format_instant(self.start), "stop": format_instant(self.stop)}

    @classmethod
    def from_json(cls, values: Mapping[str, str]) -> Interval:
        """Undo ``as_json``."""
        return cls(datetime.fromisoformat(values["start"]), datetime.fromisoformat(values["stop"]))


# what 64 bits of nanoseconds reach, in whole microseconds
STORABLE = Interval(
    datetime(1677, 9, 21, 0, 12, 43, 145225, tzinfo=UTC),
    datetime(2262, 4, 11, 23, 47, 16, 854775, tzinfo=UTC),
)


def storable_part(interval: Interval) -> Interval | None:
    """The part of an interval that InfluxDB can hold points of; None when there is none.

    For a look at what is around a window, never for a window itself: a part of one is another window.
    """
    start, stop = max(interval.start, STORABLE.start), min(interval.stop, STORABLE.stop)
    return Interval(start, stop) if start < stop else None


def adjacent_intervals(bounds: Iterable[datetime]) -> list[Interval]:
    """Build the intervals between consecutive bounds, ten times faster than one constructor call each.

    :param bounds: plain aware UTC datetimes, strictly increasing; the caller vouches for that
    """
    intervals = []
    make = Interval.__new__
    remaining = iter(bounds)
    start = next(remaining, EPOCH)
    for stop in remaining:
        interval = make(Interval)
        # the slots are set directly: bounds of a grid are checked already, and a year of hours has 8,760
        _set_start(interval, start)
        _set_stop(interval, stop)
        intervals.append(interval)
        start = stop
    return intervals


_set_start = Interval.__dict__["start"].__set__
_set_stop = Interval.__dict__["stop"].__set__


def split_interval(part: Interval, pieces: int) -> list[Interval]:
    """Equal pieces of whole microseconds."""
    length = part.duration // MICROSECOND
    pieces = min(pieces, length)
    bounds = [part.start + timedelta(microseconds=length * index // pieces) for index in range(pieces + 1)]
    return [Interval(*pair) for pair in pairwise(bounds)]
