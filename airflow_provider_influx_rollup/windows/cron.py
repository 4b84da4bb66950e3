"""Times of a cron in UTC, as InfluxDB's tasks have them: see ADR 39 for why no library says them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.windows.duration import NANOSECONDS, WEEK_NS, Duration

NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = dict(zip("jan feb mar apr may jun jul aug sep oct nov dec".split(), range(1, 13), strict=True))  # noqa: SIM905
_DAYS = dict(zip("sun mon tue wed thu fri sat".split(), range(7), strict=True))  # noqa: SIM905
# name, first and last value
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
_PART = re.compile(r"(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?")
_SPAN_OF_ONE = re.compile(r"(\w+)-\1(/.*)?")
LAST_DAY_OF_ALL_MONTHS = 28
_HALF_HOURS = re.compile(r"(\*|0|0-\d+)/30")
# runs of so many years are enough to compare
_MOST_DAYS = 366 * 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The times of a cron, in UTC, to the minute.

    :param text: its five fields
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Cron | None:
        """Read a cron of five fields, or one such as ``@daily``, whose times InfluxDB has as it says them; None for any other.

        With a day of the month and a weekday cron programs disagree whether both must be so: that is None too.
        """
        fields = NAMED.get(text.strip(), text).split()
        if len(fields) == 6 and fields[0] == "0":
            del fields[0]
        if len(fields) != len(_FIELDS):
            return None
        found = [_values(one, first, last) for one, (_, first, last) in zip(fields, _FIELDS, strict=True)]
        if any(values is None for values in found) or (fields[2] != "*" and fields[4] != "*"):
            return None
        minutes, hours, days, months, weekdays = (frozenset(values or ()) for values in found)
        if _is_otherwise_in_influxdb(fields, days):
            return None
        return cls(
            text=" ".join(fields),
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=days,
            months=months,
            weekdays=weekdays,
        )

    @property
    def whole_window(self) -> Duration | None:
        """Length of the windows whose ends are its times: whole minutes, hours, days, weeks, months or years; None when there is none.

        Five minutes past each hour is None: no whole hour ends there.
        """
        if (len(self.days), len(self.months), len(self.weekdays)) == (31, 12, 7):
            if len(self.hours) == 24:
                return _even(self.minutes, 60, "m")
            return _even(self.hours, 24, "h") if self.minutes == (0,) else None
        if (self.minutes, self.hours) != ((0,), (0,)):
            return None
        if self.days == {1} and len(self.weekdays) == 7:
            return {12: Duration(1, 0), 1: Duration(12, 0) if self.months == {1} else None}.get(
                len(self.months)
            )
        is_weekly = (len(self.days), len(self.months), len(self.weekdays)) == (31, 12, 1)
        return Duration(0, WEEK_NS) if is_weekly else None

    def backwards(self, until: datetime) -> Iterator[datetime]:
        """Its times, from the last one at or before an instant."""
        midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
        for number in range(_MOST_DAYS):
            day = midnight - timedelta(days=number)
            if day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.weekdays:
                times = (
                    day.replace(hour=hour, minute=minute) for hour in self.hours for minute in self.minutes
                )
                yield from (time for time in sorted(times, reverse=True) if time <= until)


def _even(values: tuple[int, ...], count: int, unit: str) -> Duration | None:
    """The step between values that begin at 0 and fill the hour or the day; None when they do not."""
    step, rest = divmod(count, len(values))
    if rest or values != tuple(range(0, count, step)):
        return None
    return Duration(0, step * NANOSECONDS[unit])


def _is_otherwise_in_influxdb(fields: Sequence[str], days: frozenset[int]) -> bool:
    """Whether InfluxDB runs the task at other times than the cron says: mistakes of its reader, seen by running it.

    :param fields: the five of the cron
    :param days: of the month
    """
    minute, hour, day, month, weekday = (field.split(",") for field in fields)
    return (
        any("/" in part and not part.startswith("*") for part in weekday)
        # after a month without a run it runs at the next one's first day, whatever weekday that is
        or (month != ["*"] and weekday != ["*"])
        # it passes by the 29th to 31st of a month after a shorter one
        or (month != ["*"] and day != ["*"] and max(days) > LAST_DAY_OF_ALL_MONTHS)
        # it also runs at minute 59, unless the cron is */30 * * * *
        or (
            any(map(_HALF_HOURS.fullmatch, minute))
            and [minute, hour, day, month, weekday] != [["*/30"], *[["*"]] * 4]
        )
        or "*/7" in month
        or any(_SPAN_OF_ONE.fullmatch(part) for field in fields for part in field.split(","))
    )


def _values(text: str, first: int, last: int) -> set[int] | None:
    """The values of a field; None when it is not understood."""
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step = part.partition("/")
        matched = _PART.fullmatch(span)
        if matched is None or (slash and not (step.isdecimal() and int(step))):
            return None
        if matched["all"]:
            low, high = first, last
        else:
            low = _number(matched["first"])
            high = _number(matched["last"]) if matched["last"] else (last if slash else low)
        if not first <= low <= high <= last:
            return None
        found.update(range(low, high + 1, int(step) if slash else 1))
    return found


def _number(text: str) -> int:
    """A number, or the name of a month or a weekday; -1 when it is neither."""
    return int(text) if text.isdecimal() else _MONTHS.get(text, _DAYS.get(text, -1))
