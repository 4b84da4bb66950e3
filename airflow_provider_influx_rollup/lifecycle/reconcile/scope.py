"""Windows that a reconcile compares."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.lateness import is_due


def interval_back(spec: RollupSpec, lookback: str, now: datetime) -> Steps[Interval | None]:
    """From the window that ``now - lookback`` lies in to the last window that is due; None when there is none.

    :param now: the time now, aware UTC
    :raises ConfigurationError: when the source does not keep its points that long
    :raises BucketNotFound: when there is no source
    """
    source = yield from require_bucket(spec.source_bucket, None, role="source")
    length = Duration.of(lookback).timedelta
    kept = timedelta(seconds=source.retention_seconds)
    if kept and length > kept:
        what = f"lookback={lookback} reaches further back than bucket {source.name!r} keeps points, which is {kept}"
        fix = f"give a lookback of at most {_seconds(kept)}, or let the bucket keep its points longer"
        raise ConfigurationError(what, written="nothing", fix=fix)
    grid = spec.grid.grid()
    start = grid.floor(now - length)
    stop = grid.floor(now - Duration.of(spec.lateness, allow_zero=True).timedelta)
    return Interval(start, stop) if start < stop else None


def due_windows(spec: RollupSpec, interval: Interval, now: datetime) -> tuple[Interval, ...]:
    """The windows of an interval whose stop + lateness has passed.

    :param interval: must be tiled exactly by the grid
    :raises WindowMisaligned: when the grid does not tile the interval
    """
    lateness = Duration.of(spec.lateness, allow_zero=True)
    return tuple(w for w in spec.grid.grid().windows(interval) if is_due(w, lateness, now))


def _seconds(length: timedelta) -> str:
    return Duration(0, length // timedelta(microseconds=1) * 1000).to_flux()
