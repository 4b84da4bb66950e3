"""Shard groups: retention takes them as a whole, and a field has one type in each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.windows.interval import Interval

# the server starts shard groups at whole multiples of their length after this Monday
SHARD_ANCHOR = datetime(1, 1, 1, tzinfo=UTC)


def shard_parts(interval: Interval, shard_group_seconds: int) -> list[Interval]:
    """An interval cut where shard groups begin: a field may change its type there and nowhere else.

    :param shard_group_seconds: how much time one shard group holds; 0 when unknown, which cuts nothing
    """
    if not shard_group_seconds:
        return [interval]
    length = timedelta(seconds=shard_group_seconds)
    parts = []
    start = interval.start
    while start < interval.stop:
        rest = interval.stop - start
        part = Interval(start, start + min(length - (start - SHARD_ANCHOR) % length, rest))
        parts.append(part)
        start = part.stop
    return parts


def shard_end(instant: datetime, shard_group_seconds: int) -> datetime:
    """The end of an instant's shard group.

    :param instant: aware UTC
    :param shard_group_seconds: how much time one shard group holds; 0 when unknown, then the instant itself
    """
    if not shard_group_seconds:
        return instant
    length = timedelta(seconds=shard_group_seconds)
    return instant + length - (instant - SHARD_ANCHOR) % length
