"""Windows that expire and may have points that the archive lacks: what tells that without reading a point, and with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, InfluxRollupError, WindowFrozen
from airflow_provider_influx_rollup.ledger.purges import PURGED, PurgeMark
from airflow_provider_influx_rollup.lifecycle.archive.purged import find_marks
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published, newest_generation
from airflow_provider_influx_rollup.lifecycle.run.window_errors import is_of_windows
from airflow_provider_influx_rollup.lifecycle.source.whole_read import fingerprint_source, plan_read
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.shards import shard_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A window that may have points which the archive lacks.

    :param rows: points in the bucket
    :param known: its newest generation
    :param known_rows: how many of the points that generation may hold
    :param is_doubtful: whether only a read tells: it was purged, and has as many points as when it was archived last
    :param problem: why its newest generation cannot be read
    """

    window: Interval
    rows: int
    known: Published | None = None
    known_rows: int = 0
    is_doubtful: bool = False
    problem: ArchiveMismatch | None = None


def deletion(window: Interval, bucket: Bucket) -> datetime:
    """Time at which retention deletes the first points of a window.

    :param bucket: one with a retention
    """
    return shard_end(window.start, bucket.shard_group_seconds) + timedelta(seconds=bucket.retention_seconds)


def find_candidates(spec: ArchiveSpec, counts: Mapping[Interval, int]) -> Steps[list[Candidate]]:
    """Those of some windows that are not known to be archived as they are; no point is read.

    :param counts: points in the bucket
    """
    found = []
    marks = yield from _marks_of(spec, counts)
    for window, rows in counts.items():
        try:
            known = yield from newest_generation(window_folder(spec.folder, window))
        except ArchiveMismatch as error:
            found.append(Candidate(window=window, rows=rows, problem=error))
            continue
        known_rows = known.manifest.source.total.rows if known else 0
        purged = [mark for mark in marks if mark.window.overlaps(window)]
        is_as_many = known is not None and rows == known_rows
        # late points may be as many as those that were purged
        if is_as_many and not purged:
            continue
        if known and any(_took_all(mark, known) for mark in purged):
            known_rows = 0
        found.append(
            Candidate(window=window, rows=rows, known=known, known_rows=known_rows, is_doubtful=is_as_many)
        )
    return found


def differs(spec: ArchiveSpec, bucket: Bucket, one: Candidate) -> Steps[bool]:
    """Whether a window has other points than when its newest generation was made; also when they cannot be read.

    A purged window that has not changed must not be one of the few that a run archives: others would wait for ever.
    """
    if one.known is None:
        return True
    try:
        plan = yield from plan_read(spec, one.window, bucket)
        source = yield from fingerprint_source(spec, plan)
    except InfluxRollupError as error:
        if not is_of_windows(error):
            raise
        return True
    return source != one.known.manifest.source


def why_lost(spec: ArchiveSpec, bucket: Bucket, one: Candidate) -> Steps[InfluxRollupError | None]:
    """The error of a window that is too old to be archived; None when the archive has its points."""
    if one.problem is not None:
        return one.problem
    if one.rows <= one.known_rows or (one.is_doubtful and not (yield from differs(spec, bucket, one))):
        return None
    what = (
        f"retention of bucket {spec.bucket!r} may have taken points of the window, and the archive holds "
        f"{one.known_rows:,} of the {one.rows:,} that are left"
    )
    return WindowFrozen(
        what, window=one.window, written="nothing", fix="set force=True to archive what is left"
    )


def _took_all(mark: PurgeMark, known: Published) -> bool:
    """Whether the points that a window has now have all come since its newest generation was made and purged."""
    manifest = known.manifest
    return mark.state == PURGED and (mark.window, mark.generation) == (manifest.window, manifest.generation)


def _marks_of(spec: ArchiveSpec, windows: Collection[Interval]) -> Steps[tuple[PurgeMark, ...]]:
    """The marks of purges that took points of some windows; none without a ledger."""
    if not windows or (yield from ask(FindBucket(spec.ledger_bucket))) is None:
        return ()
    return (yield from find_marks(spec, Interval.spanning(windows)))
