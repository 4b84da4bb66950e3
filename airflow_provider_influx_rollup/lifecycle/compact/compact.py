"""Compact archived windows: many small files into few large ones, proven equal before anybody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing, SourceChanging
from airflow_provider_influx_rollup.lifecycle.archive_files.fences import read_fences
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published
from airflow_provider_influx_rollup.lifecycle.archive_files.index import fold_marks, has_windows
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import verify_held
from airflow_provider_influx_rollup.lifecycle.archive_files.place import earlier_names
from airflow_provider_influx_rollup.lifecycle.archive_files.publish import (
    ERASED_MEANWHILE,
    names_unless_taken,
)
from airflow_provider_influx_rollup.lifecycle.compact.compact_run import CompactRun
from airflow_provider_influx_rollup.lifecycle.compact.generation import CompactionRun, compact_generation
from airflow_provider_influx_rollup.lifecycle.compact.plan import CompactPlan, plan_window, planned_rows
from airflow_provider_influx_rollup.lifecycle.compact.remove import remove_small
from airflow_provider_influx_rollup.lifecycle.compact.spec import Compacted, CompactResult, CompactSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import unless_told
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.current_window import within
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

TRIES = 3
MAYBE_NEW = "maybe a new generation; the archive holds every point, as before"
FIRST, CHANGED = "compacted", "windows that it was compacted from changed"
DAMAGED = "the generation before was damaged"


def compact(
    spec: CompactSpec,
    interval: Interval,
    run: RunInfo,
    now: Clock,
    versions: Mapping[str, str],
    *,
    dry_run: bool = False,
) -> Steps[CompactResult]:
    """Compact the large windows that end in an interval, one after the other.

    No server is asked, but for the folder of a bucket that was renamed.

    :param interval: any
    :param run: who runs it
    :param now: the clock, aware UTC
    :param versions: of the software, for the manifests
    :param dry_run: tell what would be made, by manifests; write nothing
    :raises ArchiveMissing: when nothing was ever archived there
    :raises ConfigurationError: when archived windows overlap, or a large window has an archive of its own
    :raises ArchiveMismatch: when a file is not what its manifest says; nothing of that window was published
    """
    began = now()
    if not (yield from has_windows(spec.folder)):
        spec = replace(spec, kept_as=(yield from earlier_names(spec.bucket, spec.ledger_bucket)))
    if not (yield from has_windows(spec.folder)):
        what = f"{spec.shown_path}/{spec.folder} has no archive at all"
        fix = "archive it first, or correct the path, the measurement or the bucket; that of a renamed one is what its folder says"
        raise ArchiveMissing(what, window=interval, written="nothing", fix=fix)
    whole = CompactRun(spec, run, now, versions)
    done: list[Compacted] = []
    waiting: list[Interval] = []
    windows = spec.windows(interval)
    for number, window in enumerate(windows):
        yield from ask(Progressed(message="windows compacted", done=number, total=len(windows)))
        if not spec.is_due(window, now()):
            waiting.append(window)
            yield from ask(Report(f"Window {window} is younger than min_age={spec.min_age}: it waits"))
            continue
        doing = _plan_only(spec, window) if dry_run else _compact_window(whole, window)
        with unless_told("nothing" if dry_run else MAYBE_NEW):
            one = yield from within(window, doing)
        if one is not None:
            done.append(one)
            yield from ask(Report(_told(spec, one, dry_run=dry_run)))
    seconds = (now() - began).total_seconds()
    return CompactResult(
        spec=spec,
        interval=interval,
        compacted=tuple(done),
        waiting=tuple(waiting),
        dry_run=dry_run,
        seconds=seconds,
    )


def _compact_window(run: CompactRun, window: Interval) -> Steps[Compacted | None]:
    """Compact one large window, unless its newest generation stands for all small ones already.

    :return: None when nothing in it was archived
    :raises SourceChanging: when other runs keep changing it
    """
    has_made = in_danger = False
    for _ in range(TRIES):
        fences = yield from read_fences(run.spec.folder)
        plan = yield from plan_window(run.spec, window)
        if not plan.pieces:
            return None
        published, is_new = yield from _newest_of(run, plan, fences)
        if published is None:
            continue
        has_made = has_made or is_new
        if is_new:
            yield from fold_marks(run.spec.folder)
            if (yield from _may_lose_files(run, published, fences)):
                in_danger = True
                continue
        removes = run.spec.remove_small and not in_danger
        removed = (yield from remove_small(run.spec, published)) if removes else 0
        small = len(compacted_of(published.manifest))
        return Compacted(window=window, published=published, small=small, removed=removed, is_new=has_made)
    what = "the archive was changed by other runs all the time while the window was compacted"
    raise SourceChanging(what, window=window, written="no new generation", fix="run it again later")


def _newest_of(run: CompactRun, plan: CompactPlan, fences: int) -> Steps[tuple[Published | None, bool]]:
    """The newest generation when it stands for all small windows, or a new one, and whether it is new."""
    if plan.is_unchanged:
        return (yield from _kept_or_mended(run, plan, fences))
    reason = CHANGED if plan.newest else FIRST
    making = CompactionRun(run=run, plan=plan, began=run.now(), reason=reason, fences=fences)
    return (yield from _made(making)), True


def _may_lose_files(run: CompactRun, published: Published, fences: int) -> Steps[bool]:
    """Whether an erasure has begun that may take the files of the new generation for those of a run that died.

    It looked before they were published, and may remove them at any time: the window is looked at again, and the small
    windows keep their files. An erasure that begins after this look finds the generation published.

    :param fences: how often series had been erased before anything was read
    """
    if (yield from read_fences(run.spec.folder)) == fences:
        return False
    window = published.manifest.window
    yield from ask(Report(f"Window {window}: {ERASED_MEANWHILE}, small windows keep their files", "warning"))
    # it is withdrawn when its files are gone already
    yield from names_unless_taken(published)
    return True


def _kept_or_mended(run: CompactRun, plan: CompactPlan, fences: int) -> Steps[tuple[Published | None, bool]]:
    """The newest generation, if its files are right; or another of the small windows, if these have theirs."""
    newest = plan.newest
    if newest is None:
        return None, False
    try:
        yield from verify_held(newest)
    except (ArchiveMismatch, ArchiveMissing) as error:
        return (yield from _mended(run, plan.window, fences, error)), True
    return newest, False


def _made(making: CompactionRun) -> Steps[Published | None]:
    run, plan = making.run, making.plan
    try:
        return (yield from compact_generation(making))
    except ArchiveMissing as error:
        if plan != (yield from plan_window(run.spec, plan.window)):
            return None
        return (yield from _mended(run, plan.window, making.fences, error))
    except ArchiveMismatch as error:
        return (yield from _mended(run, plan.window, making.fences, error))


def _mended(
    run: CompactRun, window: Interval, fences: int, error: ArchiveMismatch | ArchiveMissing
) -> Steps[Published | None]:
    """Without the newest generation, which may be the damaged one; otherwise the same error comes again."""
    plan = yield from plan_window(run.spec, window, trusts_newest=False)
    if plan.newest is None or not plan.pieces:
        raise error
    yield from ask(Report(f"Window {window} is made again of its small windows: {error}", "warning"))
    making = CompactionRun(run=run, plan=plan, began=run.now(), reason=DAMAGED, fences=fences)
    return (yield from compact_generation(making))


def _plan_only(spec: CompactSpec, window: Interval) -> Steps[Compacted | None]:
    plan = yield from plan_window(spec, window)
    if not plan.pieces:
        return None
    rows = yield from planned_rows(spec, plan)
    return Compacted(
        window=window,
        published=plan.newest,
        small=len(plan.compacted),
        removed=0,
        is_new=not plan.is_unchanged,
        planned_rows=rows,
    )


def _told(spec: CompactSpec, one: Compacted, *, dry_run: bool) -> str:
    begin = f"Window {one.window} of {spec.bucket}/{spec.measurement}"
    if dry_run:
        what = "would be made" if one.is_new else "needs nothing"
        return f"{begin}: of {one.small} windows with {one.rows:,} points, {what}"
    if one.published is None:
        return begin
    manifest = one.published.manifest
    what = "new" if one.is_new else "unchanged"
    return (
        f"{begin}: generation {manifest.generation} ({what}) holds {one.small} windows, "
        f"{manifest.content.total.rows:,} points in {len(manifest.parts)} files, {manifest.size_bytes:,} bytes"
    )
