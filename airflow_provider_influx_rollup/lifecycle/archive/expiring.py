"""Archive windows before retention deletes them: the first to go first, and a loud error for those that cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.exceptions import WindowsFailed
from airflow_provider_influx_rollup.lifecycle.archive.archive_run import ArchiveRun
from airflow_provider_influx_rollup.lifecycle.archive.expiring_candidates import deletion, find_candidates
from airflow_provider_influx_rollup.lifecycle.archive.expiring_turns import Looked, look_after
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.place import located
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.margins import RETENTION_MARGIN
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import (
    MAX_CAUSES_TOLD,
    cause_of,
    gaps_of,
)
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.source.slices import count_windows
from airflow_provider_influx_rollup.lifecycle.source.whole_read import (
    require_known,
)
from airflow_provider_influx_rollup.shown import counted, few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, Report, ShowKeys
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.lateness import is_due

MAX_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringResult:
    """Findings and actions.

    :param expiring: windows with points that retention deletes soon, in order
    :param archived: those that this run archived
    :param left: those that were not looked at and wait for the next run, as there were too many
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
            "left_windows": [window.as_json() for window in self.left[:MAX_NAMED]],
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
    :raises WindowsFailed: after all others are archived, naming the windows that could not be, each with its reason, and
        those that this run did not look at
    """
    began = now()
    bucket = yield from require_bucket(spec.bucket, grid.window_at(began))
    spec = yield from located(spec)
    windows = expiring_windows(spec, bucket, grid, within, began)
    counts = yield from _counted(spec, bucket, windows)
    candidates = yield from find_candidates(spec, counts)
    most = 0 if dry_run else max_windows
    looked = yield from look_after(ArchiveRun(spec, run, now, versions), bucket, windows, candidates, most)
    left = looked.left
    if left:
        wait = _is_or_are(left, "waits for the next run:", "wait for the next run, the first is")
        yield from ask(Report(f"{counted(len(left), 'window')} {wait} {left[0]}", "warning"))
    if looked.failed or looked.again:
        raise _failure(spec, bucket, looked)
    return ExpiringResult(
        spec=spec,
        expiring=tuple(counts),
        archived=tuple(looked.archived),
        left=tuple(left),
        next_deletion=deletion(left[0], bucket) if left else None,
        rows=looked.rows,
        seconds=(now() - began).total_seconds(),
    )


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


def _failure(spec: ArchiveSpec, bucket: Bucket, looked: Looked) -> WindowsFailed:
    """The error that names the windows that are not archived, by why they are not."""
    failed, again, left = looked.failed, looked.again, looked.left
    windows = sorted(failed)
    causes = gaps_of(windows, {window: cause_of(failed[window]) for window in windows})
    told = [f"{_named(some)}: {why}" for some, why in causes]
    missing = sorted([*windows, *again])
    first = missing[0]
    what = (
        f"{counted(len(missing), 'window')} of {spec.bucket}/{spec.measurement} {_is_or_are(missing)} not archived, and "
        f"retention deletes {_is_or_are(missing, 'it', 'the first')} at {format_instant(deletion(first, bucket))} or soon "
        "after"
    )
    texts = [what, few(told, MAX_CAUSES_TOLD, between=". ")]
    if again:
        texts.append(
            f"{counted(len(again), 'window')} that failed before {_is_or_are(again, 'was', 'were')} not tried again: "
            f"{_named(again)}"
        )
    if left:
        were = _is_or_are(left, "was", "were")
        texts.append(f"{counted(len(left), 'window')} {were} not looked at: {_named(left)}")
    done = looked.archived
    return WindowsFailed(
        ". ".join(text for text in texts if text),
        failed=[(window, failed[window]) for window in windows],
        window=first,
        written=f"{counted(len(done), 'other window')} {_is_or_are(done, 'was', 'were')} archived",
        fix=next(
            (error.fix for error in failed.values() if error.fix), "run it again, for those that are left"
        ),
    )


def _is_or_are(windows: Sequence[Interval], one: str = "is", several: str = "are") -> str:
    return one if len(windows) == 1 else several


def _named(windows: Sequence[Interval]) -> str:
    return few([str(window) for window in windows], MAX_NAMED, between=", ")
