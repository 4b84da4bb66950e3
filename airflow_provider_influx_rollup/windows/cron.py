"""Times of a cron in UTC, as InfluxDB's tasks have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

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
# name, first and last value; Sunday is 0 and 7
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART = re.compile(r"(?P<all>[*?])|(?P<first>\w+)(?:-(?P<last>\w+))?")
# 29 February on a Monday comes every 28 years
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
        """Read a cron of five fields, or one such as ``@daily``; None for any other, also one of seconds.

        With a day of the month and a weekday cron programs disagree whether both must be so: that is None too.
        """
        fields = NAMED.get(text.strip(), text).split()
        if len(fields) == 6 and fields[0] == "0":
            del fields[0]
        if len(fields) != len(_FIELDS):
            return None
        found = [_values(one, first, last) for one, (_, first, last) in zip(fields, _FIELDS, strict=True)]
        if any(values is None for values in found) or (fields[2] not in "*?" and fields[4] not in "*?"):
            return None
        minutes, hours, days, months, weekdays = (frozenset(values or ()) for values in found)
        return cls(
            text=" ".join(fields),
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=days,
            months=months,
            weekdays=frozenset(day % 7 for day in weekdays),
        )

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


def _values(text: str, first: int, last: int) -> set[int] | None:
    """The values of a field; None when it is not understood."""
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step = part.partition("/")
        matched = _PART.fullmatch(span)
        if matched is None or (slash and not (step.isdecimal() and int(step))):
            return None
        if matched["all"]:
            low, high = first, last - (last == 7)
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
