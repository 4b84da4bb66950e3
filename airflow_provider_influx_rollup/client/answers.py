"""Decode answers of the API to this package's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.steps.influx import Bucket, BucketSettings


@dataclass(frozen=True, slots=True)
class Health:
    """Version and name of the server.

    :param status: ``"pass"`` when it works
    """

    name: str
    version: str
    status: str


def bucket_of(item: Mapping[str, Any]) -> Bucket:
    """A bucket, of its JSON."""
    retention_seconds, shard_group_seconds = lengths_of(item)
    return Bucket(
        name=str(item["name"]),
        retention_seconds=retention_seconds,
        shard_group_seconds=shard_group_seconds,
        id=str(item.get("id", "")),
        org_id=str(item.get("orgID", "")),
    )


def settings_of(item: Mapping[str, Any]) -> BucketSettings:
    """Settings of a bucket, from its JSON."""
    retention_seconds, shard_group_seconds = lengths_of(item)
    return BucketSettings(
        id=str(item["id"]),
        retention_seconds=retention_seconds,
        shard_group_seconds=shard_group_seconds,
        description=str(item.get("description", "")),
        labels=tuple(sorted(str(label["name"]) for label in item.get("labels") or [])),
    )


def lengths_of(item: Mapping[str, Any]) -> tuple[int, int]:
    """Seconds of a bucket's retention and of its shard groups; 0 where there is none."""
    rule: Mapping[str, Any] = next(iter(item.get("retentionRules") or []), {})
    return int(rule.get("everySeconds", 0)), int(rule.get("shardGroupDurationSeconds", 0))
