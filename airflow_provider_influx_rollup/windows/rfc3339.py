"""Instants as text, to the nanosecond."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.windows.interval import EPOCH, format_instant, to_ns

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


def rfc3339(instant: datetime | int) -> str:
    """RFC 3339 in UTC with ``Z``, with up to nine digits of a second.

    :param instant: an aware datetime of any zone, or nanoseconds since the epoch
    :raises ConfigurationError: when it is naive or does not fit into 64 bits of nanoseconds
    """
    if isinstance(instant, datetime):
        if instant.tzinfo is None:
            what = f"the time {instant.isoformat()} has no time zone"
            raise ConfigurationError(what, fix="pass an aware datetime")
        nanoseconds = to_ns(instant)
    else:
        nanoseconds = instant
    if not INT64_MIN <= nanoseconds <= INT64_MAX:
        what = f"the time {instant} is outside of what InfluxDB can store"
        raise ConfigurationError(what, fix="use a time from 1677-09-22 to 2262-04-11")
    if isinstance(instant, datetime):
        return format_instant(instant)
    return _format_nanoseconds(nanoseconds)


def _format_nanoseconds(nanoseconds: int) -> str:
    """RFC 3339 of nanoseconds since the epoch, all nine digits."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    whole = EPOCH + timedelta(seconds=seconds)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"
