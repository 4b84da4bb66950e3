"""Make one generation: files under names of their own, read back, compared, and published by the manifest at last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.archive.manifest import Manifest, Part
from airflow_provider_influx_rollup.archive.paths import MANIFEST, generation_folder, window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.flux.archive import points_query
from airflow_provider_influx_rollup.lifecycle.archive_newest import Published, generations, verify_files
from airflow_provider_influx_rollup.lifecycle.archive_read import (
    READS_AT_A_TIME,
    ReadPlan,
    fingerprint_source,
)
from airflow_provider_influx_rollup.lifecycle.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.spec import RunInfo
from airflow_provider_influx_rollup.lifecycle.steps import Gather, Report, Steps
from airflow_provider_influx_rollup.lifecycle.store_steps import (
    FingerprintPart,
    ListFolder,
    MergeParts,
    PutNew,
    RemoveFiles,
    WriteParts,
)
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

LATE = "late-"


@dataclass(frozen=True, slots=True)
class Making:
    """What a generation is made of.

    :param newest: the generation whose place it takes
    :param now: when the run began, aware UTC
    :param versions: of the software, for the manifest
    """

    spec: ArchiveSpec
    window: Interval
    plan: ReadPlan
    newest: Published | None
    run: RunInfo
    now: datetime
    versions: Mapping[str, str]

    @property
    def token(self) -> str:
        """Part of the files' names that no other run uses."""
        run = self.run
        text = f"{run.dag_id}\0{run.task_id}\0{run.run_id}\0{run.try_number}\0{run.map_index}\0{self.now.isoformat()}"
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def next_number(self, begun: Sequence[int]) -> int:
        """The number of the generation: that of one which was begun and never published, or a new one.

        :param begun: the numbers of all that were begun
        """
        published = self.newest.manifest.generation if self.newest else 0
        return max(published + 1, *begun) if begun else published + 1

    def manifest(
        self, number: int, parts: Sequence[Part], content: Fingerprint, source: Fingerprint, reason: str
    ) -> Manifest:
        """The manifest of the generation."""
        return Manifest(
            org=self.spec.org,
            bucket=self.spec.bucket,
            measurement=self.spec.measurement,
            window=self.window,
            generation=number,
            tags=self.plan.keys.tags,
            parts=tuple(parts),
            content=content,
            source=source,
            created_at=format_instant(self.now),
            previous=self.newest.manifest.generation if self.newest else 0,
            run=asdict(self.run),
            versions=dict(self.versions),
            reason=reason,
        )


def fresh_generation(making: Making) -> Steps[Published | None]:
    """A generation of what the source holds; None when it changed meanwhile, or another run was faster."""
    number, folder = yield from _begin(making)
    parts = yield from _write_slices(making, folder, making.token)
    content = yield from _read_back(folder, parts)
    source = yield from fingerprint_source(making.spec, making.plan.slices)
    differences = source.differences(content, "the source", "the files")
    if differences:
        yield Report(
            f"Window {making.window}: the source changed meanwhile: {'; '.join(differences[:5])}", "warning"
        )
        yield RemoveFiles(_paths(folder, parts))
        return None
    reason = "the source changed" if making.newest else "first"
    return (yield from _publish(folder, making.manifest(number, parts, content, source, reason)))


def merged_generation(making: Making) -> Steps[Published | None]:
    """A generation of the newest one, whose points were purged since, and of what came after that.

    :raises ArchiveMismatch: when the merged files are not exactly both
    """
    newest = making.newest
    if newest is None:
        return (yield from fresh_generation(making))
    yield from verify_files(newest)
    number, folder = yield from _begin(making)
    late = yield from _write_slices(making, folder, LATE + making.token)
    came = yield from _read_back(folder, late)
    source = yield from fingerprint_source(making.spec, making.plan.slices)
    if source.differences(came, "the source", "the files"):
        yield RemoveFiles(_paths(folder, late))
        return None
    step = MergeParts(newest.paths, _paths(folder, late), folder, making.token, making.plan.keys.tags)
    parts, replaced = yield step
    content = yield from _read_back(folder, parts)
    yield RemoveFiles(_paths(folder, late))
    expected = merge([newest.manifest.content, came])
    differences = expected.differences(merge([content, replaced]), "both", "the merged files")
    if differences:
        yield RemoveFiles(_paths(folder, parts))
        what = f"the merged files are not what was archived and what came since: {'; '.join(differences[:5])}"
        raise ArchiveMismatch(what, window=making.window, written="no new generation", fix="run it again")
    reason = "points came after the purge"
    return (yield from _publish(folder, making.manifest(number, parts, content, source, reason)))


def _begin(making: Making) -> Steps[tuple[int, str]]:
    folder = window_folder(making.spec.folder, making.window)
    number = making.next_number((yield from generations(folder)))
    return number, generation_folder(folder, number)


def _write_slices(making: Making, folder: str, name: str) -> Steps[list[Part]]:
    spec, slices = making.spec, making.plan.slices
    parts: list[Part] = []
    done = 0
    for first in range(0, len(slices), READS_AT_A_TIME):
        some = slices[first : first + READS_AT_A_TIME]
        steps = tuple(
            WriteParts(
                points_query(spec.bucket, spec.measurement, one.interval),
                folder,
                f"{name}-{number:04d}",
                making.plan.keys.tags,
            )
            for number, one in enumerate(some, start=first + 1)
        )
        for written in (yield Gather(steps)):
            parts += written
        done += sum(one.rows for one in some)
        if len(slices) > READS_AT_A_TIME:
            yield Report(f"Window {making.window}: {done:,} of {making.plan.rows:,} points written")
    return parts


def _read_back(folder: str, parts: Sequence[Part]) -> Steps[Fingerprint]:
    """What the files hold, read from the files.

    :raises ArchiveMismatch: when one is not as it was written
    """
    found: list[Fingerprint] = []
    for first in range(0, len(parts), READS_AT_A_TIME):
        some = parts[first : first + READS_AT_A_TIME]
        steps = tuple(FingerprintPart(path) for path in _paths(folder, some))
        for part, (read, fingerprint) in zip(some, (yield Gather(steps)), strict=True):
            if read != part:
                what = f"{folder}/{part.name} does not hold what was written to it"
                raise ArchiveMismatch(what, written="no manifest", fix="look at the store, then run it again")
            found.append(fingerprint)
    return merge(found)


def _publish(folder: str, manifest: Manifest) -> Steps[Published | None]:
    """Publish a generation, unless another run has published this number meanwhile."""
    data = manifest.encode()
    paths = _paths(folder, manifest.parts)
    if not (yield PutNew(f"{folder}/{MANIFEST}", data)):
        yield RemoveFiles(paths)
        yield Report(f"Window {manifest.window}: another run was faster", "warning")
        return None
    mine = {MANIFEST, *(part.name for part in manifest.parts)}
    # what runs left that died, or that will find this manifest in their way
    strangers = [
        name for name in (yield ListFolder(folder)) if name.endswith(".parquet") and name not in mine
    ]
    yield RemoveFiles(tuple(f"{folder}/{name}" for name in strangers))
    return Published(folder, manifest, data)


def _paths(folder: str, parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(f"{folder}/{part.name}" for part in parts)
