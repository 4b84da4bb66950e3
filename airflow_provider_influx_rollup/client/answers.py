"""Decode answers of the API to this package's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.steps.influx import Bucket


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
    rule: Mapping[str, Any] = next(iter(item.get("retentionRules") or []), {})
    return Bucket(
        name=str(item["name"]),
        retention_seconds=int(rule.get("everySeconds", 0)),
        shard_group_seconds=int(rule.get("shardGroupDurationSeconds", 0)),
        id=str(item.get("id", "")),
        org_id=str(item.get("orgID", "")),
    )
