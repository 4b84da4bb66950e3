"""Flux durations: months and nanoseconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn, TypeAlias, overload

from airflow_provider_influx_rollup.exceptions import InvalidDuration

NANOSECONDS = {
    "w": 604_800_000_000_000,
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
DAY_NS = NANOSECONDS["d"]
WEEK_NS = NANOSECONDS["w"]
MONTHS = {"y": 12, "q": 3, "mo": 1}
# the micro sign and the Greek letter mu look the same on a keyboard
SPELLINGS = {"\u00b5s": "us", "\u03bcs": "us"}
MAX_NS = 2**63 - 1
MAX_MONTHS = 12 * 9_999
UNITS = "y, q, mo, w, d, h, m, s, ms, us, ns"
#: what users give for a duration: a Flux text, a timedelta, or a duration of pendulum, which is a timedelta too
DurationLike: TypeAlias = str | timedelta

_PART = re.compile(r"([0-9]+)(mo|ms|us|\u00b5s|\u03bcs|ns|y|q|w|d|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
#: for schemas, which editors check
TEXT_PATTERN = rf"^{_WHOLE.pattern}$"
_MISTAKES = (
    (r"^\s*$", "is empty", "give a duration such as 1h"),
    (r"^\s*-", "is negative", "give a positive duration; instead of the offset -6h of days write 18h"),
    (r"^[0-9]+$", "has no unit", f"add one of {UNITS}, such as s for seconds"),
    (r"[0-9][.,][0-9]", "is not a whole number of units", "use smaller units: 1h30m for 1.5h"),
    (r"^P[0-9T]", "is in the ISO 8601 form", "write it as Flux does, such as 1h30m"),
    (r"[0-9]M", "has the unknown unit M", "write mo for months and m for minutes"),
    (r"\s", "has spaces or written-out units", "write it as Flux does, such as 1h30m"),
)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: either calendar months or a fixed number of nanoseconds.

    A day is 24 h here; it becomes a local day only in a ``Grid`` with a time zone. Equal lengths are equal
    durations: ``1d`` is ``24h``, ``1w`` is ``7d`` and ``1q`` is ``3mo``.

    :param months: calendar months, 0 or more
    :param nanoseconds: elapsed nanoseconds, 0 or more; 0 when there are months
    :raises InvalidDuration: when negative, mixed, or too long for the database
    """

    months: int
    nanoseconds: int

    def __post_init__(self) -> None:
        if self.months < 0 or self.nanoseconds < 0:
            _refuse(f"{self.months} months {self.nanoseconds} ns", "is negative", "give a positive duration")
        if self.months and self.nanoseconds:
            what = "mixes months with fixed units"
            _refuse(f"{self.months}mo{self.nanoseconds}ns", what, "give months only, or fixed units only")
        if self.nanoseconds > MAX_NS or self.months > MAX_MONTHS:
            _refuse(self.to_flux(), "is too long", "stay below 292 years, or 9,999 calendar years")

    @classmethod
    def parse(cls, text: str, *, allow_zero: bool = False) -> Duration:
        """Read a Flux duration such as ``1h30m``; ``1q`` is three months.

        :param text: whole numbers with units, without spaces
        :param allow_zero: accept ``0s``, as an offset or a lateness may be
        :raises InvalidDuration: says what is wrong and what to write instead
        """
        if not _WHOLE.fullmatch(text):
            _refuse(text, *_diagnose(text))
        months = nanoseconds = 0
        for number, spelling in _PART.findall(text):
            unit = SPELLINGS.get(spelling, spelling)
            if unit in MONTHS:
                months += int(number) * MONTHS[unit]
            else:
                nanoseconds += int(number) * NANOSECONDS[unit]
        if months and nanoseconds:
            fix = "give months only (1mo, 1q, 1y) or fixed units only (1d12h)"
            _refuse(text, "mixes months with units of fixed length", fix)
        if not (months or nanoseconds or allow_zero):
            _refuse(text, "is zero", "give a positive duration such as 1h")
        return cls(months, nanoseconds)

    @classmethod
    def of(cls, value: str | timedelta | Duration, *, allow_zero: bool = False) -> Duration:
        """Take what a user may pass for a duration.

        :param value: a Flux duration text, a timedelta, a Duration, or a duration of pendulum, whose months and years are
            calendar months
        :param allow_zero: accept zero, as an offset or a lateness may be
        :raises InvalidDuration: when it is none of these, negative, zero and that is not allowed, or months and a fixed
            length at once
        """
        if isinstance(value, str):
            return cls.parse(value, allow_zero=allow_zero)
        if isinstance(value, timedelta):
            months, nanoseconds = months_and_ns(value)
            if months < 0 or nanoseconds < 0:
                _refuse(str(value), "is negative", "give a positive timedelta")
            value = cls(months, nanoseconds)
        if not isinstance(value, cls):
            fix = f"give a text such as '1h' or a timedelta, not {type(value).__name__}"
            _refuse(repr(value), "is not a duration", fix)
        if value.is_zero and not allow_zero:
            _refuse("0s", "is zero", "give a positive duration such as 1h")
        return value

    @property
    def is_zero(self) -> bool:
        """Whether it has no length."""
        return not (self.months or self.nanoseconds)

    @property
    def timedelta(self) -> timedelta:
        """The elapsed time.

        :raises InvalidDuration: for months, whose length varies, and for parts of a microsecond
        """
        if self.months:
            _refuse(self.to_flux(), "has no fixed length", "use units up to w")
        if self.nanoseconds % 1000:
            _refuse(self.to_flux(), "is not a whole number of microseconds", "use us or longer units")
        return timedelta(microseconds=self.nanoseconds // 1000)

    def to_flux(self) -> str:
        """Return the shortest usual Flux text: ``1h30m``, ``1w``, ``3mo``, ``0s``."""
        if self.months:
            years, months = divmod(self.months, 12)
            return (f"{years}y" if years else "") + (f"{months}mo" if months else "")
        if self.nanoseconds and self.nanoseconds % WEEK_NS == 0:
            return f"{self.nanoseconds // WEEK_NS}w"
        text, rest = "", self.nanoseconds
        for unit, size in NANOSECONDS.items():
            # eight days read better as 8d than as 1w1d
            if unit != "w" and rest >= size:
                text += f"{rest // size}{unit}"
                rest %= size
        return text or "0s"

    def __str__(self) -> str:
        """Return the Flux text."""
        return self.to_flux()


@overload
def flux_text(value: DurationLike) -> str: ...


@overload
def flux_text(value: DurationLike | None) -> str | None: ...


def flux_text(value: DurationLike | None) -> str | None:
    """The Flux text of a duration that a user gave, for specs, which are JSON. A text stays as it was written.

    :raises InvalidDuration: when it is negative, no duration, or months and a fixed length at once
    """
    if value is None or isinstance(value, str):
        return value
    return Duration.of(value, allow_zero=True).to_flux()


def keep_flux_texts(declared: object, *names: str) -> None:
    """Replace the durations of a frozen dataclass by their Flux texts.

    :param names: its fields
    :raises InvalidDuration: as ``flux_text``
    """
    for name in names:
        object.__setattr__(declared, name, flux_text(getattr(declared, name)))


def months_and_ns(span: timedelta) -> tuple[int, int]:
    """Calendar months and elapsed nanoseconds of a timedelta, exactly; either may be negative.

    Only durations of pendulum have months, which they also count as 30 days, and years as 365. The time between two
    instants (``pendulum.Interval``) is elapsed time.
    """
    years = months = 0
    if type(span) is not timedelta:
        # whoever has made one has loaded it
        from pendulum import Duration as CalendarDuration
        from pendulum import Interval as Between

        if isinstance(span, CalendarDuration) and not isinstance(span, Between):
            years, months = span.years, span.months
    # pendulum's own properties round microseconds, and count from zero where others count from the day before
    days, seconds, microseconds = (
        part.__get__(span) for part in (timedelta.days, timedelta.seconds, timedelta.microseconds)
    )
    seconds += (days - 365 * years - 30 * months) * 86_400
    return 12 * years + months, seconds * 10**9 + microseconds * 1000


def _refuse(text: str, what: str, fix: str) -> NoReturn:
    message = f"the duration {text!r} {what}"
    raise InvalidDuration(message, fix=fix)


def _diagnose(text: str) -> tuple[str, str]:
    """Say what is wrong with a text that is not a duration, and what to write."""
    for pattern, what, fix in _MISTAKES:
        if re.search(pattern, text):
            return what, fix
    return "is not a Flux duration", f"write whole numbers with the units {UNITS}, such as 1h30m"
