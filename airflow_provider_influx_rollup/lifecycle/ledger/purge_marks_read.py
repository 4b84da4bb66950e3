"""Purge marks of a bucket: by its id, and by its name where a mark has no id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.purges import MarksBetween, OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.purges import LIFTED, PurgeMark
from airflow_provider_influx_rollup.lifecycle.pipeline.present_buckets import present_buckets
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks that overlap an interval, those that were lifted left out.

    :param own: of the bucket
    :param others: of other buckets
    :param names: what the buckets are called now
    """

    own: tuple[PurgeMark, ...] = ()
    others: tuple[PurgeMark, ...] = ()
    names: BucketNames = field(default_factory=BucketNames)

    def once_read(self, pipeline: str, buckets: Collection[str]) -> list[PurgeMark]:
        """Marks of other buckets whose points a pipeline has read when it read another bucket.

        :param buckets: what it read before, by the present names, and by those of records without an id
        """
        return [
            mark
            for mark in self.others
            if pipeline in mark.pipelines or self.names.present(mark.bucket, mark.bucket_id) in buckets
        ]


def overlapping_marks(
    ledger_bucket: str, bucket: str, measurement: str | None, interval: Interval
) -> Steps[list[PurgeMark]]:
    """The marks of purged windows that overlap an interval, those that were lifted left out.

    :param ledger_bucket: must exist
    :param bucket: what the bucket is called now
    :param measurement: None: all of the bucket
    """
    starts = yield from ask(OverlappingMarks(ledger_bucket, measurement, interval))
    return list((yield from read_marks(ledger_bucket, bucket, measurement, interval, starts)).own)


def read_marks(
    ledger_bucket: str,
    bucket: str,
    measurement: str | None,
    interval: Interval,
    starts: Collection[datetime],
) -> Steps[Marks]:
    """The marks themselves.

    :param bucket: what the bucket is called now
    :param starts: of windows of marks that overlap the interval
    """
    if not starts:
        return Marks()
    between = MarksBetween(ledger_bucket, measurement, min(starts), max(starts))
    marks, listed = yield from ask(together(between, BucketsNow()))
    names = yield from present_buckets(listed, ((mark.bucket, mark.bucket_id) for mark in marks))
    there = [
        mark for mark in without_superseded(marks) if mark.state != LIFTED and mark.window.overlaps(interval)
    ]
    own = tuple(mark for mark in there if is_of(mark, bucket, names))
    return Marks(own, tuple(mark for mark in there if mark not in own), names)


def is_of(mark: PurgeMark, bucket: str, names: BucketNames) -> bool:
    """Whether a mark is about the bucket that has a name now."""
    return names.present(mark.bucket, mark.bucket_id) == bucket


def without_superseded(marks: Sequence[PurgeMark]) -> list[PurgeMark]:
    """Without the marks that have no id and were written again with it."""
    known = {(mark.bucket, mark.measurement, mark.window) for mark in marks if mark.bucket_id}
    return [
        mark for mark in marks if mark.bucket_id or (mark.bucket, mark.measurement, mark.window) not in known
    ]
