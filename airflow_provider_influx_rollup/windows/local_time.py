"""Wall-clock times of a time zone, turned into instants."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_influx_rollup.exceptions import InvalidTimezone, WindowError
from airflow_provider_influx_rollup.windows.duration import DAY_NS, Duration

DAY = timedelta(days=1)
NO_TIME = timedelta()
MIDNIGHT = time()
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
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        what = f"the time zone {name!r} is not in the zone database"
        fix = "give an IANA name such as UTC, Europe/Berlin or America/Los_Angeles"
        raise InvalidTimezone(what, fix=fix) from error


def wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clocks of a zone show, as a naive time."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def instant_at(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant that Airflow's cron means by a wall-clock time of a zone.

    :param local: a naive wall-clock time
    :return: an aware UTC time; of a time shown twice the second one, for a time that the clocks jump over the one as
        long after the jump as it lies after its begin
    """
    instant = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if wall_clock(instant, zone) == local:
        return instant
    # fold=0 counts on with the clocks from before the jump
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def meant_clock(instant: datetime, zone: ZoneInfo, begins: timedelta = NO_TIME) -> datetime:
    """Return the wall-clock time that is meant by an instant, as a naive time.

    :param instant: an aware time
    :param begins: the time of day at which days begin; where the clocks jump over it, it is what the instant means that
        ``instant_at`` gives for it
    """
    local = wall_clock(instant, zone)
    today = datetime.combine(local, MIDNIGHT) + begins
    is_meant = today != local and instant_at(today, zone) == instant
    return today if is_meant else local


def shift(
    instant: datetime,
    by: Duration,
    timezone: str,
    *,
    backwards: bool = False,
    begins: timedelta = NO_TIME,
) -> datetime:
    """Move an instant: whole days and months by the clocks of a zone, other durations by elapsed time.

    :param instant: an aware time
    :param by: how far
    :param timezone: an IANA name
    :param backwards: move into the past
    :param begins: the time of day at which days begin, also where the clocks jump over it
    :return: an aware UTC time; the 31st moved to a shorter month is its last day
    :raises WindowError: when no calendar has that time
    """
    try:
        return _shifted(instant, by, timezone, -1 if backwards else 1, begins)
    except (OverflowError, ValueError) as error:
        side = "before" if backwards else "after"
        what = f"{by} {side} {instant.isoformat()} is outside of all calendars"
        raise WindowError(what, fix="give a shorter duration") from error


def _shifted(instant: datetime, by: Duration, timezone: str, sign: int, begins: timedelta) -> datetime:
    is_whole_days = by.nanoseconds % DAY_NS == 0
    if not is_whole_days or (not by.months and timezone in UTC_NAMES):
        return instant.astimezone(UTC) + sign * by.timedelta
    zone = load_zone(timezone)
    return instant_at(shift_clock(meant_clock(instant, zone, begins), by, sign), zone)


def shift_clock(local: datetime, by: Duration, times: int) -> datetime:
    """Move a wall-clock time by whole days or months.

    :param local: a naive time
    :param times: how many times, backwards when negative
    :return: a naive time; the 31st moved to a shorter month is its last day
    """
    if not by.months:
        return local + times * by.timedelta
    year, month = divmod(local.year * 12 + local.month - 1 + times * by.months, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]))
