"""Compact archived windows: many small files into few large ones, proven equal before anybody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing, SourceChanging
from airflow_provider_influx_rollup.lifecycle.archive_files.fences import read_fences
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published
from airflow_provider_influx_rollup.lifecycle.archive_files.index import fold_marks, has_windows
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import verify_held
from airflow_provider_influx_rollup.lifecycle.archive_files.place import earlier_names
from airflow_provider_influx_rollup.lifecycle.compact.generation import CompactionRun, compact_generation
from airflow_provider_influx_rollup.lifecycle.compact.plan import CompactPlan, plan_window, planned_rows
from airflow_provider_influx_rollup.lifecycle.compact.remove import remove_small
from airflow_provider_influx_rollup.lifecycle.compact.spec import Compacted, CompactResult, CompactSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

TRIES = 3
FIRST, CHANGED = "compacted", "windows that it was compacted from changed"
DAMAGED = "the generation before was damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRun:
    """One run of a compaction.

    :param run: who runs it
    :param clock: aware UTC
    :param versions: of the software, for the manifests
    :param fences: of erasures, before anything was read
    """

    spec: CompactSpec
    run: RunInfo
    clock: Clock
    versions: Mapping[str, str]
    fences: int = 0


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
    going = CompactRun(spec=spec, run=run, clock=now, versions=versions)
    done: list[Compacted] = []
    waiting: list[Interval] = []
    for window in spec.windows(interval):
        if not spec.is_due(window, now()):
            waiting.append(window)
            yield from ask(Report(f"Window {window} is younger than min_age={spec.min_age}: it waits"))
            continue
        one = yield from (_plan_only(going, window) if dry_run else compact_window(going, window))
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


def compact_window(going: CompactRun, window: Interval) -> Steps[Compacted | None]:
    """Compact one large window, unless its newest generation stands for all small ones already.

    :return: None when nothing in it was archived
    :raises SourceChanging: when other runs keep changing it
    """
    for _ in range(TRIES):
        fences = yield from read_fences(going.spec.folder)
        plan = yield from plan_window(going.spec, window)
        if not plan.pieces:
            return None
        one_try = replace(going, fences=fences)
        if plan.is_unchanged:
            published, is_new = yield from _kept_or_mended(one_try, plan)
        else:
            published, is_new = (yield from _made(one_try, plan)), True
        if published is None:
            continue
        if is_new:
            yield from fold_marks(going.spec.folder)
        removed = (yield from remove_small(going.spec, published)) if going.spec.remove_small else 0
        small = len(compacted_of(published.manifest))
        return Compacted(window=window, published=published, small=small, removed=removed, is_new=is_new)
    what = "the archive was changed by other runs all the time while the window was compacted"
    raise SourceChanging(what, window=window, written="no new generation", fix="run it again later")


def _kept_or_mended(going: CompactRun, plan: CompactPlan) -> Steps[tuple[Published | None, bool]]:
    """The newest generation, if its files are right; or another of the small windows, if these have theirs."""
    newest = plan.newest
    if newest is None:
        return None, False
    try:
        yield from verify_held(newest)
    except (ArchiveMismatch, ArchiveMissing) as error:
        return (yield from _mended(going, plan.window, error)), True
    return newest, False


def _made(going: CompactRun, plan: CompactPlan) -> Steps[Published | None]:
    reason = CHANGED if plan.newest else FIRST
    try:
        return (yield from _make(going, plan, reason))
    except ArchiveMissing as error:
        if plan != (yield from plan_window(going.spec, plan.window)):
            return None
        return (yield from _mended(going, plan.window, error))
    except ArchiveMismatch as error:
        return (yield from _mended(going, plan.window, error))


def _mended(
    going: CompactRun, window: Interval, error: ArchiveMismatch | ArchiveMissing
) -> Steps[Published | None]:
    """Without the newest generation, which may be the damaged one; otherwise the same error comes again."""
    plan = yield from plan_window(going.spec, window, trusts_newest=False)
    if plan.newest is None or not plan.pieces:
        raise error
    yield from ask(Report(f"Window {window} is made again of its small windows: {error}", "warning"))
    return (yield from _make(going, plan, DAMAGED))


def _make(going: CompactRun, plan: CompactPlan, reason: str) -> Steps[Published | None]:
    making = CompactionRun(
        spec=going.spec,
        plan=plan,
        run=going.run,
        began=going.clock(),
        versions=going.versions,
        reason=reason,
        fences=going.fences,
    )
    return (yield from compact_generation(making))


def _plan_only(going: CompactRun, window: Interval) -> Steps[Compacted | None]:
    plan = yield from plan_window(going.spec, window)
    if not plan.pieces:
        return None
    rows = yield from planned_rows(going.spec, plan)
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
