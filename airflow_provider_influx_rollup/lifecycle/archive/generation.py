"""Make one generation: files under names of their own, read back, compared, and published by the manifest at last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.archive.manifest import Manifest, Part, part_paths
from airflow_provider_influx_rollup.archive.paths import generation_folder, window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.hashing import file_token
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.lifecycle.archive.archive_run import ArchiveRun
from airflow_provider_influx_rollup.lifecycle.archive.purged import find_marks
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import is_delete_begun
from airflow_provider_influx_rollup.lifecycle.archive_files.fences import read_fences
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published, next_number
from airflow_provider_influx_rollup.lifecycle.archive_files.index import find_entries
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import PointsPlace
from airflow_provider_influx_rollup.lifecycle.archive_files.publish import (
    ERASED_MEANWHILE,
    MAX_DIFFERENCES,
    give_way,
    publish,
    read_back,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import PurgeState, read_purge
from airflow_provider_influx_rollup.lifecycle.source.pieces import StepOf, read_slices
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.lifecycle.source.slices import Slice
from airflow_provider_influx_rollup.lifecycle.source.whole_read import (
    READS_AT_A_TIME,
    ReadPlan,
    fingerprint_source,
    points_source,
)
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import (
    MergeParts,
    RemoveFiles,
    WriteParts,
)
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, format_instant

LATE = "late-"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRun:
    """Input of a generation.

    :param newest: the generation whose place it takes
    :param purge: how far the purge of the window was before anything was read
    :param began: when the run began
    :param reason: why there is a new generation
    :param fences: how often series had been erased from the bucket before anything was read
    :param marks: of purges of the window that the ledger knew before anything was read
    :param made_at: what the manifest says; None: when the run began
    """

    run: ArchiveRun
    window: Interval
    plan: ReadPlan
    newest: Published | None
    purge: PurgeState | None
    began: datetime
    reason: str
    fences: int = 0
    marks: tuple[PurgeMark, ...] = ()
    made_at: datetime | None = None

    @property
    def spec(self) -> ArchiveSpec:
        """What is archived, and where."""
        return self.run.spec

    @property
    def token(self) -> str:
        """Part of the files' names that no other run uses."""
        run = self.run.info
        return file_token(
            f"{run.dag_id}\0{run.task_id}\0{run.run_id}\0{run.try_number}\0{run.map_index}\0{self.began.isoformat()}"
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """The columns of the files: also those that only points had which are gone from the bucket."""
        before = self.newest.manifest.tags if self.newest else ()
        return tuple(sorted({*self.plan.keys.tags, *before}))

    def would_lose(self, source: Fingerprint) -> Steps[bool]:
        """Whether a generation of what the source holds would be poorer than the newest one, maybe by retention or a purge.

        Whatever the clock says: in a bucket with retention no one can tell a person's delete from retention's.
        """
        if self.newest is None:
            return False
        known = self.newest.manifest
        if self.plan.bucket.retention_seconds and source.lacks_points_of(known.content):
            return True
        # counts tell nothing here: as many points may have come as a purge has deleted
        folder = window_folder(self.run.spec.folder, self.window)
        return source != known.content and (yield from is_delete_begun(folder))

    def manifest(
        self, number: int, parts: Sequence[Part], content: Fingerprint, source: Fingerprint
    ) -> Manifest:
        """The manifest of the generation."""
        org, bucket = self.spec.kept_names
        return Manifest(
            org=org,
            bucket=bucket,
            bucket_id=self.plan.bucket.id,
            measurement=self.spec.measurement,
            window=self.window,
            generation=number,
            tags=self.tags,
            parts=tuple(parts),
            content=content,
            source=source,
            created_at=format_instant(self.made_at or self.began),
            previous=self.newest.manifest.generation if self.newest else 0,
            run=asdict(self.run.info),
            versions=dict(self.run.versions),
            reason=self.reason,
        )


def fresh_generation(making: GenerationRun) -> Steps[Published | None]:
    """A generation of what the source holds; None when it changed meanwhile, or another run was faster."""
    making, number, folder = yield from _begin(making)
    return (yield from _unless_overtaken(making, folder, _fresh(making, number, folder)))


def merged_generation(
    making: GenerationRun, before: PointsPlace, held: Fingerprint
) -> Steps[Published | None]:
    """A generation of the newest one, whose points are gone from the bucket, and of what the bucket holds now.

    :param before: where the points of the newest one are; these files are what their manifest says
    :param held: what these points are
    :return: None when the source changed meanwhile, or another run was faster
    :raises ArchiveMismatch: when the merged files are not exactly both
    """
    making, number, folder = yield from _begin(making)
    return (yield from _unless_overtaken(making, folder, _merged(making, before, held, number, folder)))


def _unless_overtaken(
    making: GenerationRun, folder: str, steps: Steps[Published | None]
) -> Steps[Published | None]:
    """A run that publishes removes the files of all others; the others make an end of what is left of theirs."""
    try:
        return (yield from steps)
    except ArchiveMissing:
        yield from give_way(folder, making.token, making.window)
        return None


def _fresh(making: GenerationRun, number: int, folder: str) -> Steps[Published | None]:
    read = yield from _read_source(making, folder, making.token)
    if read is None:
        return None
    parts, content = read
    if not making.spec.force and (yield from making.would_lose(content)):
        yield from ask(RemoveFiles(part_paths(folder, parts)))
        return None
    # what was compared is the same
    return (yield from _publish(making, folder, making.manifest(number, parts, content, content)))


def _merged(
    making: GenerationRun, before: PointsPlace, held: Fingerprint, number: int, folder: str
) -> Steps[Published | None]:
    read = yield from _read_source(making, folder, LATE + making.token)
    if read is None:
        return None
    late, source = read
    step = MergeParts(
        older=before.paths,
        newer=part_paths(folder, late),
        folder=folder,
        name=making.token,
        tags=making.tags,
        interval=before.window,
    )
    parts, replaced = yield from ask(step)
    content = yield from read_back(folder, parts)
    yield from ask(RemoveFiles(part_paths(folder, late)))
    expected = merge([held, source])
    differences = expected.differences(merge([content, replaced]), "both", "the merged files")
    if differences:
        yield from ask(RemoveFiles(part_paths(folder, parts)))
        what = f"the merged files are not what was archived and what came since: {few(differences, MAX_DIFFERENCES)}"
        raise ArchiveMismatch(what, window=making.window, written="no new generation", fix="run it again")
    return (yield from _publish(making, folder, making.manifest(number, parts, content, source)))


def _begin(making: GenerationRun) -> Steps[tuple[GenerationRun, int, str]]:
    folder = window_folder(making.spec.folder, making.window)
    number = yield from next_number(folder, making.newest)
    made_at = yield from _made_at(making)
    return replace(making, made_at=made_at), number, generation_folder(folder, number)


def _made_at(making: GenerationRun) -> Steps[datetime]:
    """The time now, or just after the newest archive that overlaps: of two, the one made last wins, whose clocks made them."""
    entries = yield from find_entries(making.spec.folder, making.window)
    others = [entry.made_at for entry in entries if entry.window != making.window]
    return max([making.began, *(made_at + MICROSECOND for made_at in others)])


def _read_source(
    making: GenerationRun, folder: str, name: str
) -> Steps[tuple[list[Part], Fingerprint] | None]:
    """All points of the source as files, which a fresh read has proven; None when they are in no state to be archived."""
    parts = yield from _write_slices(making, folder, name)
    if parts is None:
        yield from give_way(folder, name, making.window)
        return None
    content = yield from read_back(folder, parts)
    source = yield from fingerprint_source(making.spec, making.plan)
    differences = source.differences(content, "the source", "the files")
    if not differences and content.total.rows < making.plan.rows:
        differences = [f"{making.plan.rows:,} points were counted, {content.total.rows:,} were read"]
    why = yield from _gone_wrong(making, differences)
    if not why:
        return parts, content
    yield from ask(Report(f"Window {making.window}: {why}", "warning"))
    yield from ask(RemoveFiles(part_paths(folder, parts)))
    return None


def _gone_wrong(making: GenerationRun, differences: Sequence[str]) -> Steps[str]:
    """Reason why the points read must not be published; empty when they may be."""
    if differences:
        return f"the source changed meanwhile: {few(differences, MAX_DIFFERENCES)}"
    window_purge = yield from read_purge(window_folder(making.spec.folder, making.window))
    marks = yield from find_marks(making.spec, making.window)
    if window_purge != making.purge or {one.window for one in marks} != {one.window for one in making.marks}:
        return "it was purged meanwhile"
    if is_too_old(making.window, making.plan.bucket, making.run.now()) and not making.spec.force:
        return "retention may have taken points meanwhile"
    return ""


def _write_slices(making: GenerationRun, folder: str, name: str) -> Steps[list[Part] | None]:
    """Write what the source holds; None when series were erased meanwhile."""
    spec = making.spec
    # the others are empty; points that come there meanwhile are found when all is compared
    slices = [one for one in making.plan.slices if one.rows]
    source = points_source(spec, making.plan)
    parts: list[Part] = []
    done = 0
    for first in range(0, len(slices), READS_AT_A_TIME):
        some = slices[first : first + READS_AT_A_TIME]
        names = {one: f"{name}-{number:04d}" for number, one in enumerate(some, start=first + 1)}
        for written in (yield from read_slices(source, some, _writing(making, folder, names))):
            parts += written
        if (yield from read_fences(spec.folder)) != making.fences:
            # these may be points of series that were erased since they were read: no file of them stays, should the run die
            yield from ask(Report(f"Window {making.window}: {ERASED_MEANWHILE}", "warning"))
            return None
        done += sum(one.rows for one in some)
        if len(slices) > READS_AT_A_TIME:
            yield from ask(Report(f"Window {making.window}: {done:,} of {making.plan.rows:,} points written"))
    return parts


def _writing(making: GenerationRun, folder: str, names: Mapping[Slice, str]) -> StepOf[list[Part]]:
    """The step that writes the points of a slice into files of its name."""
    return lambda one, points: WriteParts(points, folder, names[one], making.tags)


def _publish(making: GenerationRun, folder: str, manifest: Manifest) -> Steps[Published | None]:
    published = Published(folder, manifest, manifest.encode())
    return (yield from publish(making.spec.folder, published, making.token, making.fences))
