"""Shard groups: retention takes them as a whole, and a field has one type in each."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_influx_rollup.lifecycle.field_types import SHARD_ANCHOR


def shard_end(instant: datetime, shard_group_seconds: int) -> datetime:
    """When the shard group of an instant ends.

    :param instant: aware UTC
    :param shard_group_seconds: how much time one shard group holds; 0 when unknown, then the instant itself
    """
    if not shard_group_seconds:
        return instant
    length = timedelta(seconds=shard_group_seconds)
    return instant + length - (instant - SHARD_ANCHOR) % length
