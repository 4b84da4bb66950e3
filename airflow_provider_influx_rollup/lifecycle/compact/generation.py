"""Make one generation of a large window: joined, proven equal to its small windows, and published by the manifest at last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from airflow_provider_influx_rollup.archive.catalog import COMPACTED, Entry, compacted_as_json
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.archive.manifest import Manifest
from airflow_provider_influx_rollup.archive.paths import generation_folder, window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.hashing import file_token
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import (
    FIX,
    Published,
    next_number,
    require_generation,
    verify_files,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import PointsPlace, find_held
from airflow_provider_influx_rollup.lifecycle.archive_files.publish import MAX_DIFFERENCES, give_way, publish
from airflow_provider_influx_rollup.lifecycle.compact.compact_run import CompactRun
from airflow_provider_influx_rollup.lifecycle.compact.plan import CompactPlan
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import (
    Joined,
    JoinParts,
    PartsOf,
)
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionRun:
    """One try to make the next generation of a large window.

    :param began: when the try began; with the run it is the files' name
    :param reason: why there is a new generation
    :param fences: how often series had been erased before anything was read
    """

    run: CompactRun
    plan: CompactPlan
    began: datetime
    reason: str
    fences: int

    @property
    def spec(self) -> CompactSpec:
        """What is compacted."""
        return self.run.spec

    @property
    def window(self) -> Interval:
        """The large window."""
        return self.plan.window

    @property
    def token(self) -> str:
        """Part of the files' names that no other try uses."""
        return file_token(f"compact\0{self.window}\0{asdict(self.run.info)}\0{self.began.isoformat()}")


def compact_generation(making: CompactionRun) -> Steps[Published | None]:
    """Join the files of the plan, prove that they hold the same points, and publish.

    :return: None when another run was faster
    :raises ArchiveMismatch: when a file is not what its manifest says, or the large files are not exactly the small ones
    :raises ArchiveMissing: when files are gone
    """
    held = yield from _find_all(making)
    folder, number = yield from _begin(making)
    tags = tuple(sorted({tag for one in held.values() for tag in one.published.manifest.tags}))
    try:
        joined: Joined = yield from ask(
            JoinParts(_sources(making.plan, held), folder, f"{making.token}-0001", tags)
        )
        _require_equal(making.plan, held, joined)
        manifest = _manifest(making, number, tags, joined)
        published = Published(folder, manifest, manifest.encode())
        yield from verify_files(published)
    except (ArchiveMismatch, ArchiveMissing):
        yield from give_way(folder, making.token, making.window)
        raise
    return (yield from publish(making.spec.folder, published, making.token, making.fences))


def _find_all(making: CompactionRun) -> Steps[dict[Interval, PointsPlace]]:
    """Places of the points of each generation of the plan, by window."""
    found: dict[Interval, PointsPlace] = {}
    for piece in making.plan.pieces:
        entry = piece.entries[0]
        if entry.window in found:
            continue
        published = yield from require_generation(making.spec.folder, entry.window, entry.generation)
        found[entry.window] = yield from find_held(published)
    return found


def _begin(making: CompactionRun) -> Steps[tuple[str, int]]:
    folder = window_folder(making.spec.folder, making.window)
    number = yield from next_number(folder, making.plan.newest)
    return generation_folder(folder, number), number


def _sources(plan: CompactPlan, held: Mapping[Interval, PointsPlace]) -> tuple[PartsOf, ...]:
    return tuple(
        PartsOf(held[piece.entries[0].window].files_of(piece.interval), piece.interval)
        for piece in plan.pieces
    )


def _require_equal(plan: CompactPlan, held: Mapping[Interval, PointsPlace], joined: Joined) -> None:
    """Compare the points read of each small window with its manifest, where all of it was read.

    Parts of a window are those of a file whose hash is right, and whose points were proven when it was published.

    :raises ArchiveMismatch: naming the fields that differ
    """
    by_window: dict[Interval, tuple[Entry, list[Interval], list[Fingerprint]]] = {}
    for piece, found in zip(plan.pieces, joined.found, strict=True):
        entry = piece.entries[0]
        _, intervals, prints = by_window.setdefault(entry.window, (entry, [], []))
        intervals.append(piece.interval)
        prints.append(found)
    for entry, intervals, prints in by_window.values():
        if held[entry.window].is_moved or subtract(entry.covered, intervals):
            continue
        wanted = held[entry.window].published.manifest.content
        differences = merge(prints).differences(wanted, "the files", "the manifest")
        if differences:
            what = f"the files of {entry.window} do not hold what its manifest says: {few(differences, MAX_DIFFERENCES)}"
            raise ArchiveMismatch(what, window=plan.window, written="no new generation", fix=FIX)


def _manifest(making: CompactionRun, number: int, tags: tuple[str, ...], joined: Joined) -> Manifest:
    spec, newest = making.spec, making.plan.newest
    org, bucket = spec.kept_names
    content = Fingerprint(fields=merge(joined.found).fields, series={}, series_count=joined.series)
    return Manifest(
        org=org,
        bucket=bucket,
        measurement=spec.measurement,
        window=making.window,
        generation=number,
        tags=tags,
        parts=joined.parts,
        content=content,
        source=content,
        created_at=format_instant(making.began),
        previous=newest.manifest.generation if newest else 0,
        run={**asdict(making.run.info), COMPACTED: compacted_as_json(making.plan.compacted)},
        versions=dict(making.run.versions),
        reason=making.reason,
    )
