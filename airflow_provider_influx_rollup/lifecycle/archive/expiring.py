"""Archive windows before retention deletes them: the oldest first, and a loud error for those that cannot be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    StoreError,
    WindowFrozen,
    WindowsFailed,
)
from airflow_provider_influx_rollup.ledger.purges import PURGED, PurgeMark
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive.archive_run import ArchiveRun
from airflow_provider_influx_rollup.lifecycle.archive.purged import find_marks
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published, newest_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.place import located
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.margins import RETENTION_MARGIN
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import (
    MAX_CAUSES_TOLD,
    cause_of,
    gaps_of,
    is_of_windows,
)
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.lifecycle.source.slices import count_windows
from airflow_provider_influx_rollup.lifecycle.source.whole_read import (
    fingerprint_source,
    plan_read,
    require_known,
)
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket, Progressed, Report, ShowKeys
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.lateness import is_due
from airflow_provider_influx_rollup.windows.shards import shard_end

MAX_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringResult:
    """Findings and actions.

    :param expiring: windows with points that retention deletes soon, in order
    :param archived: those that this run archived
    :param left: those that have to wait for the next run, as there were too many
    :param next_deletion: when retention deletes the first of those that are left
    :param rows: points that this run archived
    """

    spec: ArchiveSpec
    expiring: tuple[Interval, ...]
    archived: tuple[Interval, ...]
    left: tuple[Interval, ...]
    next_deletion: datetime | None
    rows: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        return {
            "expiring": len(self.expiring),
            "archived": len(self.archived),
            "left": len(self.left),
            "next_deletion": format_instant(self.next_deletion) if self.next_deletion else None,
            "windows": [window.as_json() for window in self.archived[:MAX_NAMED]],
            "rows_out": self.rows,
            "path": f"{self.spec.shown_path}/{self.spec.folder}",
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }


def archive_expiring(
    spec: ArchiveSpec,
    grid: Grid,
    within: Duration,
    max_windows: int,
    run: RunInfo,
    now: Clock,
    versions: Mapping[str, str],
    *,
    dry_run: bool = False,
) -> Steps[ExpiringResult]:
    """Archive the windows that retention deletes soon, and that no generation holds as they are.

    :param grid: the windows of the archive
    :param within: how soon
    :param max_windows: most windows that this run archives
    :param now: the clock, aware UTC
    :param versions: of the software, for the manifests
    :param dry_run: look only
    :raises ConfigurationError: when neither the bucket nor the archive knows the measurement
    :raises WindowsFailed: after all others are archived, naming the windows that could not be, each with its reason
    """
    began = now()
    bucket = yield from require_bucket(spec.bucket, grid.window_at(began))
    spec = yield from located(spec)
    counts = yield from _counted(spec, bucket, expiring_windows(spec, bucket, grid, within, began))
    waiting, lost = yield from _sorted_out(spec, bucket, counts, began)
    most = 0 if dry_run else max_windows
    archived, rows, failed = yield from _archive_each(ArchiveRun(spec, run, now, versions), waiting, most)
    left = waiting[len(archived) + len(failed) :]
    if left:
        yield from ask(
            Report(f"{len(left)} windows wait for the next run, the first is {left[0]}", "warning")
        )
    failed = {**lost, **failed}
    if failed:
        raise _failure(spec, bucket, failed, len(archived))
    seconds = (now() - began).total_seconds()
    first = deletion(left[0], bucket) if left else None
    return ExpiringResult(
        spec=spec,
        expiring=tuple(counts),
        archived=tuple(archived),
        left=tuple(left),
        next_deletion=first,
        rows=rows,
        seconds=seconds,
    )


def deletion(window: Interval, bucket: Bucket) -> datetime:
    """Time at which retention deletes the first points of a window.

    :param bucket: one with a retention
    """
    return shard_end(window.start, bucket.shard_group_seconds) + timedelta(seconds=bucket.retention_seconds)


def expiring_windows(
    spec: ArchiveSpec, bucket: Bucket, grid: Grid, within: Duration, now: datetime
) -> list[Interval]:
    """The windows that are due and that retention deletes soon, in order; none where it deletes nothing.

    :param within: how soon
    """
    if not bucket.retention_seconds:
        return []
    length = timedelta(seconds=bucket.shard_group_seconds)
    oldest = now - timedelta(seconds=bucket.retention_seconds) - length - RETENTION_MARGIN
    lateness = Duration.of(spec.lateness, allow_zero=True)
    found = []
    window = grid.window_at(oldest)
    while deletion(window, bucket) <= now + within.timedelta and is_due(window, lateness, now):
        found.append(window)
        window = grid.window_at(window.stop)
    return found


def _counted(spec: ArchiveSpec, bucket: Bucket, windows: Sequence[Interval]) -> Steps[dict[Interval, int]]:
    """Those of some windows that have points, with their counts."""
    keys = yield from ask(ShowKeys(spec.bucket, spec.measurement))
    if windows:
        yield from require_known(spec, None, keys)
    counts = yield from count_windows(bucket, spec.measurement, windows, keys)
    return {window: counts[window] for window in windows if counts[window]}


def _sorted_out(
    spec: ArchiveSpec, bucket: Bucket, counts: Mapping[Interval, int], now: datetime
) -> Steps[tuple[list[Interval], dict[Interval, InfluxRollupError]]]:
    """The windows to archive, and those for which it is too late."""
    waiting: list[Interval] = []
    failed: dict[Interval, InfluxRollupError] = {}
    marks = yield from _marks_of(spec, counts)
    for window, rows in counts.items():
        known = yield from newest_generation(window_folder(spec.folder, window))
        known_rows = known.manifest.source.total.rows if known else 0
        purged = [mark for mark in marks if mark.window.overlaps(window)]
        # late points may be as many as those that were purged
        if known and rows == known_rows and not (purged and (yield from _differs(spec, bucket, known))):
            continue
        if known and any(_took_all(mark, known) for mark in purged):
            known_rows = 0
        if spec.force or not is_too_old(window, bucket, now):
            waiting.append(window)
        elif rows > known_rows:
            failed[window] = _lost(spec, window, rows, known_rows)
    return waiting, failed


def _differs(spec: ArchiveSpec, bucket: Bucket, known: Published) -> Steps[bool]:
    """Whether a window has other points than when its newest generation was made; also when they cannot be read.

    A purged window that has not changed must not be one of the few that a run archives: others would wait for ever.
    """
    window = known.manifest.window
    try:
        plan = yield from plan_read(spec, window, bucket)
        source = yield from fingerprint_source(spec, plan)
    except InfluxRollupError as error:
        if not is_of_windows(error):
            raise
        return True
    return source != known.manifest.source


def _took_all(mark: PurgeMark, known: Published) -> bool:
    """Whether the points that a window has now have all come since its newest generation was made and purged."""
    manifest = known.manifest
    return mark.state == PURGED and (mark.window, mark.generation) == (manifest.window, manifest.generation)


def _marks_of(spec: ArchiveSpec, windows: Collection[Interval]) -> Steps[tuple[PurgeMark, ...]]:
    """The marks of purges that took points of some windows; none without a ledger."""
    if not windows or (yield from ask(FindBucket(spec.ledger_bucket))) is None:
        return ()
    return (yield from find_marks(spec, Interval.spanning(windows)))


def _archive_each(
    run: ArchiveRun, windows: Sequence[Interval], most: int
) -> Steps[tuple[list[Interval], int, dict[Interval, InfluxRollupError]]]:
    """Archive windows in their order; those that cannot be archived take no other one's place.

    :param most: how many are archived
    :return: the archived ones, how many points that were, and the windows that could not be archived
    """
    archived, rows, failed = list[Interval](), 0, dict[Interval, InfluxRollupError]()
    for number, window in enumerate(windows):
        if len(archived) == most:
            break
        total = min(most + len(failed), len(windows))
        yield from ask(Progressed(message="expiring windows looked after", done=number, total=total))
        try:
            result = yield from archive(run.spec, [window], run.info, run.now, run.versions)
            rows += result.rows_out
            archived.append(window)
        except InfluxRollupError as error:
            if not is_of_windows(error) or isinstance(error, StoreError):
                raise
            failed[window] = error
            yield from ask(Report(str(error), "warning"))
    return archived, rows, failed


def _lost(spec: ArchiveSpec, window: Interval, rows: int, known_rows: int) -> WindowFrozen:
    what = (
        f"retention of bucket {spec.bucket!r} may have taken points of the window, and the archive holds {known_rows:,} "
        f"of the {rows:,} that are left"
    )
    return WindowFrozen(what, window=window, written="nothing", fix="set force=True to archive what is left")


def _failure(
    spec: ArchiveSpec, bucket: Bucket, failed: Mapping[Interval, InfluxRollupError], archived: int
) -> WindowsFailed:
    windows = sorted(failed)
    causes = gaps_of(windows, {window: cause_of(failed[window]) for window in windows})
    told = [
        f"{few([str(window) for window in some], MAX_NAMED, between=', ')}: {why}" for some, why in causes
    ]
    what = (
        f"{len(windows)} windows of {spec.bucket}/{spec.measurement} are not archived, and retention deletes the first at "
        f"{format_instant(deletion(windows[0], bucket))} or soon after. {few(told, MAX_CAUSES_TOLD, between='. ')}"
    )
    fix = next((error.fix for error in failed.values() if error.fix), None)
    ordered = [(window, failed[window]) for window in windows]
    written = f"{archived} other windows were archived"
    return WindowsFailed(what, failed=ordered, window=windows[0], written=written, fix=fix)
