"""Keys of Airflow's partitions that name a time: those of its timetables and mappers, and a format of the user's own."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowUndefined
from airflow_provider_influx_rollup.windows.instants import read_instant
from airflow_provider_influx_rollup.windows.local_time import instant_at, load_zone

#: joins the keys of several dimensions
DELIMITER = "|"
#: wall-clock times, as CronPartitionTimetable and the mappers for hours and months of Airflow 3.3 write them
CLOCK_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m")
# the mapper for weeks writes the date of the Monday, then the week
WEEK = re.compile(r"(\d{4}-\d{2}-\d{2}) \(W\d{2}\)")
QUARTER = re.compile(r"(\d{4})-Q([1-4])")
READABLE = "2026-03-10, 2026-03-10T09, 2026-03-10T09:00:00, 2026-03, 2026-Q1 or 2026-03-10T09:00:00Z"


def read_partition_key(
    key: str, timezone: str, key_format: str | None = None, *, is_of_days: bool = False
) -> datetime | None:
    """Read the time at which a partition starts from its key.

    :param key: the whole key; of a key of several dimensions the one part that is a time counts
    :param timezone: IANA zone of a key without an offset from UTC
    :param key_format: the only format that counts, as ``strptime`` takes it; default: those that Airflow writes, dates, and
        ISO 8601 times with an offset
    :param is_of_days: whether partitions are whole days, months or years long: then a time that clocks show twice is the
        second one, as for Airflow's cron
    :return: an aware UTC time; None when no part of the key is a time
    :raises WindowUndefined: when two parts are times, clocks show the time twice, or InfluxDB cannot store it
    """
    clocks = [
        clock for part in key.split(DELIMITER) if (clock := _clock(part.strip(), key_format)) is not None
    ]
    if not clocks:
        return None
    if len(clocks) > 1:
        what = f"{len(clocks)} parts of the partition {key} may be its time"
        fix = "give partition_key_format, the strptime format of the one that is"
        raise WindowUndefined(what, written="nothing was written", fix=fix)
    if clocks[0].tzinfo is not None:
        return read_instant(clocks[0], "partition_key")
    return _instant(clocks[0], key, timezone, is_of_days=is_of_days)


def check_key_format(key_format: str) -> None:
    """Refuse a format that gives no date.

    :raises ConfigurationError: when it cannot be read back, or has no year
    """
    sample = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        is_read = datetime.strptime(sample.strftime(key_format), key_format).year == sample.year  # noqa: DTZ007
    except (TypeError, ValueError):
        is_read = False
    if not is_read:
        what = f"partition_key_format={key_format!r} does not give a date"
        raise ConfigurationError(
            what, written="nothing", fix="give a strptime format such as %Y%m%d or %G-W%V-%u"
        )


def _clock(part: str, key_format: str | None) -> datetime | None:
    if key_format is not None:
        return _parsed(part, key_format)
    if week := WEEK.fullmatch(part):
        part = week[1]
    if quarter := QUARTER.fullmatch(part):
        return datetime(int(quarter[1]), 3 * int(quarter[2]) - 2, 1)  # noqa: DTZ001 - the zone is the stage's
    if part.isdecimal():
        # a number may be anything, such as the id of a customer
        return None
    for known in CLOCK_FORMATS:
        clock = _parsed(part, known)
        if clock is not None:
            return clock
    return _iso(part)


def _parsed(part: str, key_format: str) -> datetime | None:
    try:
        return datetime.strptime(part, key_format)  # noqa: DTZ007 - the zone is the stage's
    except ValueError:
        return None


def _iso(part: str) -> datetime | None:
    """A date, or an ISO 8601 time with an offset."""
    try:
        return datetime.combine(date.fromisoformat(part), time())
    except ValueError:
        pass  # not a date alone
    try:
        return read_instant(part, "partition_key")
    except WindowUndefined:
        return None


def _instant(clock: datetime, key: str, timezone: str, *, is_of_days: bool) -> datetime:
    zone = load_zone(timezone)
    first, second = (clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # in a gap the clocks of before the jump give the later instant
    if first < second and not is_of_days:
        what = f"the partition {key} is two windows: the clocks of {timezone} show its time twice"
        fix = "let the key have an offset from UTC, such as %Y-%m-%dT%H:%M:%S%z, or give start and stop in the run's conf"
        raise WindowUndefined(what, written="nothing was written", fix=fix)
    return read_instant(instant_at(clock, zone), "partition_key")
