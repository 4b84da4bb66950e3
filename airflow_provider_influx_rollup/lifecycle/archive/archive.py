"""Archive windows: write, read back from the files, compare with a fresh read of the source, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    ArchiveMissing,
    ConfigurationError,
    QueryFailed,
    SourceChanging,
    WindowFrozen,
)
from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.archive.archive_run import ArchiveRun
from airflow_provider_influx_rollup.lifecycle.archive.begun import not_ended
from airflow_provider_influx_rollup.lifecycle.archive.generation import (
    GenerationRun,
    fresh_generation,
    merged_generation,
)
from airflow_provider_influx_rollup.lifecycle.archive.purged import (
    find_marks,
    marks_elsewhere,
    require_archived_before,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import STAGE, ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import (
    BegunDelete,
    begun_deletes,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.fences import read_fences
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import (
    Published,
    later_generation,
    newest_generation,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.index import fold_marks
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import verify_held
from airflow_provider_influx_rollup.lifecycle.archive_files.owner import require_own_folder
from airflow_provider_influx_rollup.lifecycle.archive_files.place import find_place
from airflow_provider_influx_rollup.lifecycle.archive_files.publish import MAX_DIFFERENCES, remove_unnamed
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import read_purge
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import ensure_ledger
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import signed
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock, wait_until_due
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import about_window, unless_told
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.lifecycle.source.whole_read import (
    as_unreadable,
    fingerprint_source,
    plan_read,
    require_known,
)
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, Progressed, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

TRIES = 3
MAX_LISTED = 20
NEW, UNCHANGED = "new", "unchanged"
FIRST, CHANGED = "first", "the source changed"
DAMAGED, LATE = "the generation before was damaged", "points came after the others were gone"


@dataclass(frozen=True, slots=True)
class ArchivedWindow:
    """Result of archiving one window.

    :param is_new: whether this run made the generation
    """

    published: Published
    is_new: bool


@dataclass(frozen=True, slots=True)
class ArchiveResult:
    """Results of a run's windows.

    :param begun_deletes: of the windows: purges that have not said that they ended, so that nothing is dropped
    """

    spec: ArchiveSpec
    archived: tuple[ArchivedWindow, ...]
    seconds: float
    begun_deletes: tuple[BegunDelete, ...] = ()

    @property
    def rows_out(self) -> int:
        """Points in the archive."""
        return sum(one.published.manifest.content.total.rows for one in self.archived)

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom; the checksum stands for the rows of all files."""
        manifests = [one.published.manifest for one in self.archived]
        return {
            "window": Interval.spanning([manifest.window for manifest in manifests]).as_json(),
            "windows": len(manifests),
            "rows_in": sum(manifest.source.total.rows for manifest in manifests),
            "rows_out": self.rows_out,
            "bytes": sum(manifest.size_bytes for manifest in manifests),
            "series": max(manifest.content.series_count for manifest in manifests),
            "checksum": combine_checksums(manifest.content.total.hash for manifest in manifests),
            "generation": max(manifest.generation for manifest in manifests),
            "new": sum(1 for one in self.archived if one.is_new),
            "begun_deletes": [one.as_json() for one in self.begun_deletes[:MAX_LISTED]],
            "state": State.COMMITTED.value,
            "path": f"{self.spec.shown_path}/{self.spec.folder}",
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }


def archive(
    spec: ArchiveSpec, windows: Sequence[Interval], run: RunInfo, now: Clock, versions: Mapping[str, str]
) -> Steps[ArchiveResult]:
    """Archive windows one after the other; each is published, and in the ledger, before the next begins.

    :param windows: at least one, in ascending order
    :param run: who runs it
    :param now: the clock, aware UTC
    :param versions: of the software, for the manifest
    :raises ArchiveMismatch: when the folder is that of another measurement
    :raises InfluxRollupError: of the first window that cannot be archived; the earlier ones are
    """
    began = now()
    yield from ensure_ledger(spec.ledger_bucket, windows[0])
    spec, place_lines = yield from find_place(spec)
    whole = ArchiveRun(spec, run, now, versions)
    yield from require_own_folder(spec, windows[0])
    done = []
    for number, window in enumerate(windows):
        yield from ask(Progressed(message="windows archived", done=number, total=len(windows)))
        window_began = now()
        with about_window(window), unless_told("maybe a new generation, and no receipt of it"):
            one = yield from _archive_window(whole, window)
        seconds = (now() - window_began).total_seconds()
        with about_window(window, f"generation {one.published.manifest.generation}, and no receipt of it"):
            yield from _write_receipt(whole, one.published, seconds, place_lines)
        place_lines = []
        yield from ask(Report(_told(spec, one)))
        if one.is_new:
            yield from fold_marks(spec.folder)
        done.append(one)
    begun = yield from begun_deletes(spec.folder, windows)
    for delete in begun:
        yield from ask(Report(not_ended(delete), "warning"))
    return ArchiveResult(spec, tuple(done), (now() - began).total_seconds(), tuple(begun))


def _archive_window(run: ArchiveRun, window: Interval) -> Steps[ArchivedWindow]:
    """Archive one window, unless its newest generation is what the source holds.

    :raises SourceUnreadable: when no query returns the points as they are
    :raises SourceChanging: when points keep coming while the window is read
    :raises WindowFrozen: when retention may have taken points, and there is no archive yet
    :raises ArchiveMissing: when points were purged, and the archive that stands for them is not under this path
    :raises ArchiveMismatch: when a file does not hold what was written to it
    :raises ConfigurationError: when neither the bucket nor the archive knows the measurement
    """
    yield from wait_until_due([window], run.spec.lateness, run.now())
    for _ in range(TRIES):
        try:
            done = yield from _try(run, window)
        except QueryFailed as error:
            raise as_unreadable(error, window) from error
        if done is not None:
            return done
    what = "the source, or the archive by other runs, kept changing while the window was archived"
    raise SourceChanging(
        what, window=window, written="no new generation", fix="raise lateness, or run it again later"
    )


def _try(run: ArchiveRun, window: Interval) -> Steps[ArchivedWindow | None]:
    """One try; None when something came between."""
    spec = run.spec
    folder = window_folder(spec.folder, window)
    fences = yield from read_fences(spec.folder)
    newest = yield from newest_generation(folder)
    _require_own(window, newest)
    bucket = yield from require_bucket(spec.bucket, window)
    _require_same_bucket(spec, window, newest, bucket)
    if newest is not None:
        yield from remove_unnamed(newest)
    is_taken = is_too_old(window, bucket, run.now())
    if is_taken and not spec.force:
        return (yield from _kept(spec, window, newest))
    purge = yield from read_purge(folder)
    marks = yield from find_marks(spec, window)
    elsewhere = yield from marks_elsewhere(spec, window, marks, is_archived=newest is not None)
    if newest is None:
        require_archived_before(spec, window, elsewhere)
    plan = yield from plan_read(spec, window, bucket)
    if newest is None:
        yield from require_known(spec, window, plan.keys)
    making = GenerationRun(
        run=run,
        window=window,
        plan=plan,
        newest=newest,
        purge=purge,
        began=run.now(),
        reason=FIRST,
        fences=fences,
        marks=marks,
    )
    if newest is None:
        return (yield from _made(fresh_generation(making)))
    if is_taken or purge is not None or elsewhere:
        return (yield from _renew_incomplete(making, newest))
    return (yield from _renew(making, newest))


def _renew(making: GenerationRun, newest: Published) -> Steps[ArchivedWindow | None]:
    """The source holds all points that there are."""
    try:
        yield from verify_held(newest)
    except (ArchiveMismatch, ArchiveMissing) as error:
        source = yield from fingerprint_source(making.spec, making.plan)
        if not making.spec.force and (yield from making.would_lose(source)):
            # what is left of the damaged one may be more than the bucket has
            raise
        yield from ask(
            Report(f"Window {making.window}: the archive is damaged and made again: {error}", "warning")
        )
        return (yield from _made(fresh_generation(replace(making, reason=DAMAGED))))
    source = yield from fingerprint_source(making.spec, making.plan)
    known = newest.manifest
    if source == known.source:
        return ArchivedWindow(newest, is_new=False)
    if (yield from making.would_lose(source)):
        gone = (
            f"points of generation {known.generation} may be gone, by retention, or by a purge that died before it said "
            "so: all stay archived, and a restore brings them back"
        )
        yield from ask(Report(f"Window {making.window}: {gone}", "warning"))
        return (yield from _renew_incomplete(making, newest))
    how = few(source.differences(known.source, "the source", "it"), MAX_DIFFERENCES) or "other series"
    yield from ask(
        Report(f"Window {making.window}: generation {known.generation} is out of date: {how}", "warning")
    )
    return (yield from _made(fresh_generation(replace(making, reason=CHANGED))))


def _renew_incomplete(making: GenerationRun, newest: Published) -> Steps[ArchivedWindow | None]:
    """Points of the newest generation are gone from the bucket on purpose: what it holds is kept."""
    before, content = yield from verify_held(newest)
    source = yield from fingerprint_source(making.spec, making.plan)
    if not source.total.rows or source == newest.manifest.source:
        return ArchivedWindow(newest, is_new=False)
    return (yield from _made(merged_generation(replace(making, reason=LATE), before, content)))


def _made(making: Steps[Published | None]) -> Steps[ArchivedWindow | None]:
    made = yield from making
    return ArchivedWindow(made, is_new=True) if made is not None else None


def _require_own(window: Interval, newest: Published | None) -> None:
    """Check that a compacted window is made of archived windows, and of nothing else."""
    if newest is not None and compacted_of(newest.manifest):
        what = "the window was compacted from smaller ones, which are those to archive"
        raise ConfigurationError(
            what,
            window=window,
            written="nothing",
            fix="use the every, offset and timezone of the smaller windows",
        )


def _require_same_bucket(
    spec: ArchiveSpec, window: Interval, newest: Published | None, bucket: Bucket
) -> None:
    """A folder may be of a bucket that had the same name: its points are not mixed with those of another."""
    known = newest.manifest.bucket_id if newest is not None else ""
    if known and bucket.id and known != bucket.id:
        what = (
            f"{spec.shown_path}/{spec.folder} is the archive of the bucket with the id {known}, "
            f"and bucket {spec.bucket!r} is another one ({bucket.id})"
        )
        fix = "use another path, or the ledger_bucket with which it was archived"
        raise ArchiveMismatch(what, window=window, written="nothing", fix=fix)


def _kept(spec: ArchiveSpec, window: Interval, newest: Published | None) -> Steps[ArchivedWindow]:
    if newest is not None:
        number = newest.manifest.generation
        yield from ask(
            Report(
                f"Window {window}: retention may have taken points; generation {number} is kept", "warning"
            )
        )
        return ArchivedWindow(newest, is_new=False)
    what = f"retention of bucket {spec.bucket!r} may have taken points of the window, and there is no archive of it"
    fix = "archive windows earlier, or set force=True to archive what is left"
    raise WindowFrozen(what, window=window, written="nothing", fix=fix)


def _write_receipt(
    run: ArchiveRun, published: Published, seconds: float, place_lines: Sequence[str]
) -> Steps[None]:
    """Say in the ledger which generation is the newest.

    Another run may have published a later one since, and have said so: what this one says of its own goes over that. So
    it looks at the folder afterwards; whoever is last has seen the last one.
    """
    newest: Published | None = published
    while newest is not None:
        receipt = _receipt(run, newest, seconds)
        yield from ask(Write(run.spec.ledger_bucket, [*place_lines, *encode_receipts([receipt])]))
        newest = yield from later_generation(window_folder(run.spec.folder, receipt.window), newest)


def _receipt(run: ArchiveRun, published: Published, seconds: float) -> Receipt:
    manifest = published.manifest
    made = Receipt(
        pipeline=run.spec.pipeline,
        stage=STAGE,
        window=manifest.window,
        state=State.COMMITTED,
        written_at=run.now(),
        generation=manifest.generation,
        rows_in=manifest.source.total.rows,
        rows_out=manifest.content.total.rows,
        series=manifest.content.series_count,
        checksum=manifest.content.total.hash,
        seconds=seconds,
    )
    return signed(made, run.info)


def _told(spec: ArchiveSpec, one: ArchivedWindow) -> str:
    manifest = one.published.manifest
    what = NEW if one.is_new else UNCHANGED
    return (
        f"Window {manifest.window} of {spec.bucket}/{spec.measurement}: generation {manifest.generation} ({what}), "
        f"{manifest.content.total.rows:,} points of {manifest.content.series_count:,} series in {manifest.size_bytes:,} bytes"
    )
