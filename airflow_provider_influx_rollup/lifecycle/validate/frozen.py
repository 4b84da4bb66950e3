"""Intervals that lack points, so that their copies must stay as they are: validating again would remove what is right in them."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon, is_too_old
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

FIX = "keep the copies as they are, or restore the points first; dry_run=True judges what is left of them"


def require_points(spec: ValidateSpec, source: Bucket, interval: Interval, now: datetime) -> Steps[None]:
    """Refuse an interval whose points were purged, or may be gone by the retention of their bucket.

    :param spec: of a validation that copies points; its ledger exists
    :raises WindowFrozen: saying what has taken the points
    """
    edge = horizon(source, now)
    if edge is not None and is_too_old(interval, source, now):
        what = f"bucket {source.name!r} keeps points from {format_instant(edge)} on, and those of the interval may be gone"
        raise WindowFrozen(what, window=interval, written="nothing", fix=FIX)
    marks = yield from overlapping_marks(spec.ledger_bucket, spec.bucket, spec.measurement, interval)
    if marks:
        raise WindowFrozen(marks[0].text(), window=interval, written="nothing", fix=FIX)
