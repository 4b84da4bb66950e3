"""Points of some tags in a measurement of a bucket: found, counted, hashed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.exceptions import PartialWrite
from airflow_provider_influx_rollup.flux.erase import MatchingPoints, PointEdges
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.lifecycle.source.slices import count_each
from airflow_provider_influx_rollup.lifecycle.source.value_groups import in_groups
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, Delete, Gather, Progressed
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import FingerprintSource
from airflow_provider_influx_rollup.windows.coverage import merge as merge_intervals
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, split_interval
from airflow_provider_influx_rollup.windows.shards import shard_parts

READS_AT_A_TIME = 2
MAX_DELETES = 3
# a shard group of a short-lived bucket has an hour, which would cut years into too many parts
MAX_PARTS = 2_000


@dataclass(frozen=True)
class FoundPoints:
    """Points of some series in a measurement of a bucket.

    :param spans: parts of time that have points, merged
    """

    points: Fingerprint
    spans: tuple[Interval, ...]


NONE = FoundPoints(Fingerprint(), ())


def source_of(bucket: str, measurement: str, tags: Mapping[str, str]) -> RollupSource:
    """The series that have all these tags."""
    return RollupSource(bucket, measurement, {key: (value,) for key, value in tags.items()})


def find_matching(
    bucket: Bucket, source: RollupSource, interval: Interval, most_rows: int
) -> Steps[FoundPoints]:
    """Read the points of some series, part after part, and in groups of series where there are too many for one query.

    :param most_rows: most points that one query reads
    """

    def find(some: RollupSource) -> Steps[FoundPoints]:
        return _find(bucket, some, interval, most_rows)

    found = yield from in_groups(source, interval, find)
    spans = [span for one in found for span in one.spans]
    return FoundPoints(merge(one.points for one in found), tuple(merge_intervals(spans)))


def _find(bucket: Bucket, source: RollupSource, interval: Interval, most_rows: int) -> Steps[FoundPoints]:
    span = yield from _hull(source, interval)
    if span is None:
        return NONE
    waiting = _parts(span, bucket.shard_group_seconds)
    parts: list[Interval] = []
    rows_of: dict[Interval, int] = {}
    while waiting:
        counts = yield from count_each(source, waiting)
        again: list[Interval] = []
        for part, rows in zip(waiting, counts, strict=True):
            pieces = -(-rows // most_rows)
            if pieces > 1 and part.duration > MICROSECOND:
                again += split_interval(part, pieces)
            elif rows:
                parts.append(part)
                rows_of[part] = rows
        waiting = again
    found: list[Fingerprint] = []
    total, read = sum(rows_of.values()), 0
    for first in range(0, len(parts), READS_AT_A_TIME):
        some = parts[first : first + READS_AT_A_TIME]
        yield from ask(Progressed(message="points to erase read", done=read, total=total))
        read += sum(rows_of[part] for part in some)
        found += yield from ask(
            Gather(tuple(FingerprintSource((MatchingPoints(source, part),)) for part in some))
        )
    return FoundPoints(merge(found), tuple(merge_intervals(parts)))


def count_matching(source: RollupSource, interval: Interval) -> Steps[int]:
    """Number of points; 0 means none of any type."""
    return sum((yield from count_each(source, [interval])))


def delete_matching(source: RollupSource, interval: Interval) -> Steps[None]:
    """Delete all points of some series, and make sure that they are gone.

    :raises PartialWrite: when some are still there
    """
    tags = {key: values[0] for key, values in source.tags.items()}
    left = 0
    for _ in range(MAX_DELETES):
        yield from ask(Delete(source.bucket, interval, source.measurement, tags))
        left = yield from count_matching(source, interval)
        if not left:
            return
    what = f"{left:,} points of {source.bucket}/{source.measurement} are still there after they were deleted {MAX_DELETES} times"
    fix = "stop what writes them, then run it again: it continues where it stopped"
    raise PartialWrite(what, written="no certificate", fix=fix)


def _hull(source: RollupSource, interval: Interval) -> Steps[Interval | None]:
    """From the first point to the last one.

    A query over several shard groups returns the points of one type; what lies before and after them is looked at again.
    """
    hull: Interval | None = None
    before: Interval | None = interval
    after: Interval | None = None
    while before or after:
        parts = [part for part in (before, after) if part is not None]
        edges = []
        for part in parts:
            edges += yield from ask(PointEdges(source, part))
        if not edges:
            return hull
        # times come with nanoseconds cut off
        first, last = min(edges), max(edges) + MICROSECOND
        hull = (
            Interval(first, last) if hull is None else Interval(min(first, hull.start), max(last, hull.stop))
        )
        before = Interval(interval.start, hull.start) if interval.start < hull.start else None
        after = Interval(hull.stop, interval.stop) if hull.stop < interval.stop else None
    return hull


def _parts(span: Interval, shard_seconds: int) -> list[Interval]:
    """Parts of time in which a field has one type."""
    seconds = shard_seconds or 3600
    while span.duration.total_seconds() / seconds > MAX_PARTS:
        seconds *= 2
    return shard_parts(span, seconds)
