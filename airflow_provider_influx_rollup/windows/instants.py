"""Times that people write, read without guessing."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

from airflow_provider_influx_rollup.exceptions import WindowUndefined
from airflow_provider_influx_rollup.windows.local_time import instant_at, load_zone

FINER = re.compile(r"[.,]\d{6}0*[1-9]")
# Python takes all of these, and reads them as what no user means
MISREAD = (
    # half past ten would be half a second after ten
    (re.compile(r"[^0-9:]\d{2}(:?\d{2})?[.,]\d"), "has a fraction of an hour or a minute"),
    (re.compile(r"^(\d{4}-\d{2}-\d{2}|\d{8})[0-9+-]"), "has no T between the date and the time"),
    (re.compile(r"[+-]\d{2}:?[6-9]\d(:?\d{2})?$"), "has an offset of 60 minutes or more beside its hours"),
)
EXAMPLE = "2026-01-01T00:00:00Z"
# 64 bits of nanoseconds reach from 1677-09-21 to 2262-04-11
STORED_YEARS = range(1677, 2263)


def read_instant(value: Any, name: str, timezone: str = "UTC") -> datetime:
    """Read a time that a user or a template gave.

    :param value: an aware datetime, an ISO 8601 text with ``Z`` or an offset from UTC, or a date: the instant
        at which that day starts in the zone. Times and dates of pendulum are datetimes and dates
    :param name: what it is called in messages, such as ``start``
    :param timezone: IANA name, used for dates only
    :return: an aware UTC time, a plain datetime
    :raises WindowUndefined: when it is naive, ambiguous, finer than a microsecond, not a time, or in a year that InfluxDB
        cannot store
    """
    if isinstance(value, str):
        value = _parse(value.strip(), name)
    if isinstance(value, date) and value.year not in STORED_YEARS:
        what = f"{name} {value.isoformat()} is outside of what InfluxDB can store"
        raise WindowUndefined(what, fix=f"use a time of the years {STORED_YEARS[0]} to {STORED_YEARS[-1]}")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            text = value.isoformat()
            what = f"{name} {text} has no time zone, and guessing one could compute the wrong windows"
            raise WindowUndefined(what, fix=f"write {text}Z for UTC, or an offset such as {text}+02:00")
        utc = value.astimezone(UTC)
        return datetime.combine(utc.date(), utc.time(), UTC)
    if isinstance(value, date):
        return instant_at(datetime.combine(value, time()), load_zone(timezone))
    what = f"{name} is a {type(value).__name__}, not a time"
    raise WindowUndefined(what, fix=f"give an aware datetime or a text such as {EXAMPLE}")


def _parse(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass  # not a date alone
    if FINER.search(text):
        # Python would cut them off, and the interval would be another one than was asked for
        what = f"{name} {text!r} is finer than a microsecond"
        raise WindowUndefined(what, fix="write at most six digits after the second")
    for pattern, reason in MISREAD:
        if pattern.search(text):
            what = f"{name} {text!r} {reason}"
            raise WindowUndefined(what, fix=f"write it as {EXAMPLE}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        what = f"{name} {text!r} is not an ISO 8601 time"
        raise WindowUndefined(what, fix=f"write it as {EXAMPLE} or 2026-01-01") from error
