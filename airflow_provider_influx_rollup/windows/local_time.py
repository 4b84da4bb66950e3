"""Wall-clock times of a time zone, turned into instants."""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_influx_rollup.exceptions import InvalidTimezone, WindowError
from airflow_provider_influx_rollup.windows.duration import DAY_NS, Duration
from airflow_provider_influx_rollup.windows.interval import EPOCH

SECOND = timedelta(seconds=1)
UTC_NAMES = frozenset({"UTC", "Etc/UTC"})


def zone_name(timezone: str | tzinfo) -> str:
    """Return the name of a zone of the zone database.

    :param timezone: an IANA name, ``datetime.UTC``, or a zone object that knows its name
    :raises InvalidTimezone: when there is no such zone
    """
    name = timezone if isinstance(timezone, str) else getattr(timezone, "key", None) or str(timezone)
    load_zone(name)
    return name


def load_zone(name: str) -> ZoneInfo:
    """Load a zone of the zone database.

    :param name: an IANA name such as ``Europe/Berlin``
    :raises InvalidTimezone: when there is no such zone
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        what = f"the time zone {name!r} is not in the zone database"
        fix = "give an IANA name such as UTC, Europe/Berlin or America/Los_Angeles"
        raise InvalidTimezone(what, fix=fix) from error


def wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clocks of a zone show, as a naive time."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def first_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant at which the clocks of a zone show a time, or jump over it.

    :param local: a naive wall-clock time
    :return: an aware UTC time; for a time shown twice the first one
    """
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if wall_clock(instant, zone) == local:
        return instant
    # the clocks jump over it: fold=0 lies after the jump and fold=1 before it, jumps are at whole seconds
    low = (local.replace(tzinfo=zone, fold=1).astimezone(UTC) - EPOCH) // SECOND
    high = -((EPOCH - instant) // SECOND)
    second = bisect_left(
        range(low, high), True, key=lambda second: wall_clock(EPOCH + second * SECOND, zone) >= local
    )
    return EPOCH + (low + second) * SECOND


def shift(instant: datetime, by: Duration, timezone: str, *, backwards: bool = False) -> datetime:
    """Move an instant: whole days and months by the clocks of a zone, other durations by elapsed time.

    :param instant: an aware time
    :param by: how far
    :param timezone: an IANA name
    :param backwards: move into the past
    :return: an aware UTC time; the 31st moved to a shorter month is its last day
    :raises WindowError: when no calendar has that time
    """
    try:
        return _shifted(instant, by, timezone, -1 if backwards else 1)
    except (OverflowError, ValueError) as error:
        side = "before" if backwards else "after"
        what = f"{by} {side} {instant.isoformat()} is outside of all calendars"
        raise WindowError(what, fix="give a shorter duration") from error


def _shifted(instant: datetime, by: Duration, timezone: str, sign: int) -> datetime:
    is_whole_days = by.nanoseconds % DAY_NS == 0
    if not is_whole_days or (not by.months and timezone in UTC_NAMES):
        return instant.astimezone(UTC) + sign * by.timedelta
    zone = load_zone(timezone)
    local = wall_clock(instant, zone)
    if not by.months:
        return first_instant(local + sign * by.timedelta, zone)
    year, month = divmod(local.year * 12 + local.month - 1 + sign * by.months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return first_instant(local.replace(year=year, month=month + 1, day=day), zone)
