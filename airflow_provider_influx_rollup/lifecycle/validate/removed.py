"""Points that are removed while a validation copies them: an erasure may have looked for copies before they were written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import SourceChanging, WindowFrozen
from airflow_provider_influx_rollup.lifecycle.validate.frozen import require_points
from airflow_provider_influx_rollup.lifecycle.validate.looks import Surroundings, count_series
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.validation.sightings import Sighting


def require_nothing_removed(
    spec: ValidateSpec, source: Bucket, around: Surroundings, now: datetime
) -> Steps[None]:
    """Fail a validation when a series has fewer points than before it was copied, as after an erasure.

    The copies of points that a purge or retention has taken stay.

    :param around: what was counted before the points were read
    :param now: aware time, after the last copy
    :raises SourceChanging: with the number of points that are gone
    """
    scope = around.seen.scope
    there = _points((yield from count_series(spec, scope, source.shard_group_seconds)))
    gone = sum((_points(around.seen.census) - there).values())
    if not gone or (yield from _is_frozen(spec, source, around, now)):
        return
    what = f"{gone} points of {spec.bucket}/{spec.measurement} were removed while they were validated"
    written = "copies of them may be in the quarantine and among the clean points"
    raise SourceChanging(
        what, window=scope.interval, written=written, fix="run it again: it removes copies of what is gone"
    )


def _points(census: Iterable[Sighting]) -> Counter[object]:
    points: Counter[object] = Counter()
    for one in census:
        points[one.part, one.field, one.tags] += one.points
    return points


def _is_frozen(spec: ValidateSpec, source: Bucket, around: Surroundings, now: datetime) -> Steps[bool]:
    try:
        yield from require_points(spec, source, around.seen.scope.interval, now)
    except WindowFrozen:
        return True
    return False
