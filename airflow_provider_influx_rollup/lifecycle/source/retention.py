"""Points that a bucket's retention has deleted, or may delete at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.margins import RETENTION_MARGIN
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.shards import shard_end


def horizon(bucket: Bucket, now: datetime) -> datetime | None:
    """The instant from which on a bucket promises to keep points; None when it keeps forever."""
    return now - timedelta(seconds=bucket.retention_seconds) if bucket.retention_seconds else None


def is_too_old(window: Interval, source: Bucket, now: datetime) -> bool:
    """Whether retention may have taken points of a window already, or may while it is rolled up.

    Retention takes whole shard groups, as soon as their last instant is too old.
    """
    edge = horizon(source, now)
    return edge is not None and shard_end(window.start, source.shard_group_seconds) <= edge + RETENTION_MARGIN


def dropped_windows(
    windows: Iterable[Interval], target: Bucket, now: datetime
) -> dict[Interval, ConfigurationError]:
    """The windows that the target is too short-lived for; the server only speaks of an internal error then."""
    edge = horizon(target, now)
    if edge is None:
        return {}
    what = f"target bucket {target.name!r} keeps points from {format_instant(edge)} on and drops older ones"
    fix = "let it keep them longer, or roll up later windows"
    return {
        window: ConfigurationError(what, window=window, written="nothing", fix=fix)
        for window in windows
        if window.start < edge
    }


def keeps_what_is_lost(spec: RollupSpec, source: Bucket) -> bool:
    """Whether fewer points than a receipt says freeze a window of any age.

    A tier's rows become fewer by right when the tier below is repaired, so that its age alone decides.
    """
    return bool(source.retention_seconds) and spec.source_tier is None
