"""Intervals that lack points, here or in the copies: validating again would remove copies, or bring purged ones back."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import read_marks
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon, is_too_old
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

FIX = "keep the copies as they are, or restore the points first; dry_run=True judges what is left of them"


def require_points(spec: ValidateSpec, source: Bucket, interval: Interval, now: datetime) -> Steps[None]:
    """Refuse an interval whose points or copies were purged, or whose points may be gone by the retention of their bucket.

    :param spec: of a validation that copies points; its ledger exists
    :raises WindowFrozen: saying what has taken the points
    """
    edge = horizon(source, now)
    if edge is not None and is_too_old(interval, source, now):
        what = f"bucket {source.name!r} keeps points from {format_instant(edge)} on, and those of the interval may be gone"
        raise WindowFrozen(what, window=interval, written="nothing", fix=FIX)
    marks = yield from _marks(spec, interval)
    if marks:
        raise WindowFrozen(marks[0].text(), window=interval, written="nothing", fix=FIX)


def _marks(spec: ValidateSpec, interval: Interval) -> Steps[list[PurgeMark]]:
    """The marks of all that a validation reads and writes; those of the points themselves first."""
    places = defaultdict(list, {spec.measurement: [spec.bucket]})
    for copied in spec.copied_to():
        places[copied.measurement].append(copied.bucket)
    found: list[PurgeMark] = []
    for measurement, buckets in places.items():
        starts = yield from ask(OverlappingMarks(spec.ledger_bucket, measurement, interval))
        marks = yield from read_marks(spec.ledger_bucket, buckets[0], measurement, interval, starts)
        found += marks.own
        found += [one for one in marks.others if marks.names.present(one.bucket, one.bucket_id) in buckets]
    return found
