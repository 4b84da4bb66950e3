"""Which of the ledger's marks are about a bucket: by its id, and by its name where a mark has no id."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.flux.bucket_ids import BUCKETS, buckets_query
from airflow_provider_influx_rollup.flux.ledger_read import together
from airflow_provider_influx_rollup.flux.purges import marks_query, overlapping_marks_query
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.purges import LIFTED, PurgeMark, decode_marks
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Query
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

MARKS = "marks"


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
    found = yield from ask(Query(overlapping_marks_query(ledger_bucket, measurement, interval), as_sent=True))
    return list((yield from read_marks(ledger_bucket, bucket, measurement, interval, found)).own)


def read_marks(
    ledger_bucket: str,
    bucket: str,
    measurement: str | None,
    interval: Interval,
    found: Iterable[Mapping[str, Any]],
) -> Steps[Marks]:
    """The marks themselves.

    :param bucket: what the bucket is called now
    :param found: what ``overlapping_marks_query`` returned
    """
    starts = [row["_time"] for row in found]
    if not starts:
        return Marks()
    marks_text = marks_query(ledger_bucket, measurement, min(starts), max(starts))
    rows: list[Row] = yield from ask(
        Query(together({MARKS: marks_text, BUCKETS: buckets_query()}), as_sent=True)
    )
    names = BucketNames.of(row for row in rows if row.yield_name == BUCKETS)
    marks = without_superseded(decode_marks(row for row in rows if row.yield_name == MARKS))
    there = [mark for mark in marks if mark.state != LIFTED and mark.window.overlaps(interval)]
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
