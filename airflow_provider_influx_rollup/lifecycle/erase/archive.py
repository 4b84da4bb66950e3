"""The files of an archive that hold points of the series: found, written again without them, removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_provider_influx_rollup.archive.catalog import COMPACTED
from airflow_provider_influx_rollup.archive.erasure import ErasedFiles
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.archive.manifest import Manifest, Part, part_paths
from airflow_provider_influx_rollup.archive.paths import (
    MANIFEST,
    generation_folder,
    parse_window,
    window_folder,
)
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.hashing import file_token
from airflow_provider_influx_rollup.lifecycle.archive_files.erased_files import write_erased
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import (
    READS_AT_A_TIME,
    Published,
    generations,
    newest_generation,
    read_generation,
    verify_files,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.index import mark_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import read_moved
from airflow_provider_influx_rollup.lifecycle.archive_files.publish import MAX_DIFFERENCES, read_back
from airflow_provider_influx_rollup.lifecycle.archive_files.window_claims import (
    claim_window,
    holds_claim,
    release_claim,
)
from airflow_provider_influx_rollup.lifecycle.erase.follow_purge import follow_purge
from airflow_provider_influx_rollup.lifecycle.erase.found import Holding
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import (
    EraseParts,
    ListFolder,
    PutNew,
    ReadBytes,
    RemoveFiles,
    Tallied,
    TallyMatching,
)
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

ARCHIVE, ATTEMPTS = "archive", "attempts"
REASON = "erased"
PARQUET = ".parquet"


@dataclass(frozen=True, kw_only=True)
class Files:
    """The Parquet files of one generation's folder.

    :param published: None when it has no manifest
    :param there: names of the files that are there
    :param found: points of the series in each of them; None where it cannot be read
    """

    folder: str
    generation: int
    published: Published | None
    there: tuple[str, ...]
    found: Mapping[str, Tallied | None]

    @property
    def named(self) -> tuple[str, ...]:
        """The files that the manifest names and that are there."""
        parts = self.published.manifest.parts if self.published else ()
        return tuple(part.name for part in parts if part.name in self.there)

    @property
    def is_whole(self) -> bool:
        """Whether all files that the manifest names are there and can be read."""
        parts = self.published.manifest.parts if self.published else ()
        return all(self.found.get(part.name) is not None for part in parts)

    @property
    def attempts(self) -> tuple[str, ...]:
        """Files of runs that crashed, or that are still at work."""
        return tuple(name for name in self.there if name not in self.named)

    def matching(self, names: Iterable[str]) -> Fingerprint:
        """Points of the series in some of the files."""
        return merge(one.points for name in names if (one := self.found[name]) is not None)

    def must_go(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those that hold points of the series, or only their tags, or that cannot be read."""
        return tuple(
            name
            for name in names
            if (one := self.found[name]) is None or one.points.total.rows or one.is_left_over
        )


@dataclass(frozen=True)
class WindowFiles:
    """All generations of one window, in order."""

    window: Interval
    generations: tuple[Files, ...]

    @property
    def newest(self) -> Files | None:
        """The newest one that was published."""
        return next((one for one in reversed(self.generations) if one.published is not None), None)

    @property
    def gone(self) -> frozenset[int]:
        """The generations whose files hold points of the series."""
        return frozenset(one.generation for one in self.generations if one.must_go(one.named))

    @property
    def has_attempts(self) -> bool:
        """Whether a run may be about to publish what it has read before."""
        return any(one.attempts and one.published is None for one in self.generations)

    @property
    def older(self) -> tuple[Files, ...]:
        """All published ones but the newest."""
        newest = self.newest
        return tuple(one for one in self.generations if one.published is not None and one is not newest)


@dataclass
class ArchiveLook:
    """Looks at the files; one that was looked into once is not again.

    :param known: points of the series, by path
    :param has_any: whether anything was ever archived, of any time
    :param proven: folders of generations whose files are what their manifests say
    """

    spec: EraseSpec
    known: dict[str, Tallied | None] = field(default_factory=dict)
    has_any: bool = False
    proven: set[str] = field(default_factory=set)

    def windows(self) -> Steps[list[Interval]]:
        """The archived windows that may hold points."""
        names = yield from ask(ListFolder(self.spec.archive.folder))
        found = sorted(window for name in names if (window := parse_window(name)) is not None)
        self.has_any = bool(found)
        return [window for window in found if window.overlaps(self.spec.span)]

    def look(self, window: Interval) -> Steps[WindowFiles]:
        """Look into the files of all generations of a window.

        :raises ArchiveMismatch: when a manifest is damaged, or a file of the newest generation
        """
        folder = window_folder(self.spec.archive.folder, window)
        found: list[Files] = []
        for number in (yield from generations(folder)):
            found += [(yield from self._look_into(folder, number))]
        files = WindowFiles(window, tuple(found))
        newest = files.newest
        if newest is not None and newest.published is not None:
            yield from self._prove(newest, newest.published)
        return files

    def _prove(self, newest: Files, published: Published) -> Steps[None]:
        """Check rewritten files before anything is deleted; an error names what is missing or damaged."""
        is_to_be_written = not newest.is_whole or newest.must_go(newest.named)
        if not is_to_be_written or newest.folder in self.proven:
            return
        # its points may be in a larger window, which is looked into by itself
        if (yield from read_moved(newest.folder)) is None:
            yield from verify_files(published)
            self.proven.add(newest.folder)

    def _look_into(self, window_path: str, number: int) -> Steps[Files]:
        folder = generation_folder(window_path, number)
        published = yield from read_generation(window_path, number)
        names = tuple(name for name in (yield from ask(ListFolder(folder))) if name.endswith(PARQUET))
        # a file without a manifest may be growing
        named = {part.name for part in published.manifest.parts} if published else set()
        missing = [name for name in names if name not in named or f"{folder}/{name}" not in self.known]
        for first in range(0, len(missing), READS_AT_A_TIME):
            some = missing[first : first + READS_AT_A_TIME]
            steps = tuple(
                TallyMatching(f"{folder}/{name}", tuple(sorted(self.spec.tags.items())), self.spec.span)
                for name in some
            )
            for name, found in zip(some, (yield from ask(Gather(steps))), strict=True):
                self.known[f"{folder}/{name}"] = found
        return Files(
            folder=folder,
            generation=number,
            published=published,
            there=names,
            found={name: self.known[f"{folder}/{name}"] for name in names},
        )


def held_by(files: WindowFiles) -> list[Holding]:
    """Points of the series in the files of a window, as places of a certificate."""
    held = []
    label = str(files.window)
    for one in files.generations:
        gone = one.must_go(one.named)
        if gone and one.published is not None:
            # all of the generation goes, which is of no use without some
            unreadable = [name for name in one.named if one.found[name] is None]
            details = {**_named(files.window, one.published), "unreadable": unreadable}
            points = one.matching(one.named)
            place = f"{ARCHIVE} {label} {one.generation}"
            held.append(Holding(place, points, max(points.total.rows, 1), details))
        if doomed := one.must_go(one.attempts):
            details = {"folder": one.folder, "files": len(doomed)}
            held.append(Holding(f"{ATTEMPTS} {label} {one.generation}", Fingerprint(), len(doomed), details))
    return held


def _named(window: Interval, published: Published) -> dict[str, Any]:
    """A generation and all of its files, for a certificate."""
    return {
        "window": window.as_json(),
        "folder": published.folder,
        "generation": published.manifest.generation,
        "manifest_sha256": published.sha256,
        "files": [{"name": part.name, "sha256": part.sha256} for part in published.manifest.parts],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteRun:
    """Plan of rewriting files.

    :param erase_id: of the erasure
    :param info: who erases, for the manifest
    :param now: the clock, aware UTC
    :param versions: of the software, for the manifest
    """

    spec: EraseSpec
    erase_id: str
    info: RunInfo
    now: Clock
    versions: Mapping[str, str]

    def token(self, window: Interval) -> str:
        """Part of the files' names that no other run uses."""
        return file_token(f"{self.erase_id}\0{window}\0{asdict(self.info)}\0{self.now().isoformat()}")


def clear_window(how: RewriteRun, files: WindowFiles) -> Steps[bool]:
    """Publish the newest generation again without the series, and remove every file that holds points of it.

    :return: False when another run was faster, so that the window is to be looked at again
    :raises ArchiveMismatch: when the newest generation is damaged
    """
    newest, made = files.newest, None
    if newest is not None and newest.published is not None:
        folder = window_folder(how.spec.archive.folder, files.window)
        gone = files.gone
        # what a run is about to publish must find its number taken
        is_anew = newest.is_whole and (newest.generation in gone or files.has_attempts)
        # a purge or a restore of the window that is at work gives way, or sees what becomes of its generation
        claim = (yield from claim_window(folder)) if is_anew or gone else 0
        if is_anew:
            made = yield from _write_anew(how, files, newest.published, claim)
            if made is None:
                yield from release_claim(folder, claim)
                return False
            # without points of the series they stay, for certificates may name them
            yield from _remove_matching(how, newest)
        for one in files.older:
            yield from _remove_matching(how, one)
        if gone:
            # once more: a purge that has read of the old generation before may have said so after it
            standing = made.generation if made is not None else newest.generation
            yield from follow_purge(how.spec.archive, files.window, gone, standing)
        yield from release_claim(folder, claim)
    return (yield from _remove_attempts(files, made))


def _remove_attempts(files: WindowFiles, made: Manifest | None) -> Steps[bool]:
    """Remove files of runs that died.

    :param made: what this run has published
    :return: False when a run that is at work has published some since the look
    """
    for one in files.generations:
        if doomed := one.must_go(one.attempts):
            # its generation may be all that holds the points
            if one.published is None and (yield from _is_published(one, made)):
                return False
            yield from ask(RemoveFiles(tuple(f"{one.folder}/{name}" for name in doomed)))
            if one.published is None and (yield from _is_published(one, made)):
                # between the look and the removal: a generation without its files cannot be read
                yield from ask(RemoveFiles((f"{one.folder}/{MANIFEST}",)))
                return False
    return True


def _is_published(one: Files, made: Manifest | None) -> Steps[bool]:
    """Whether a generation has a manifest now, and not that of this run."""
    if made is not None and made.generation == one.generation:
        return False
    return (yield from ask(ReadBytes(f"{one.folder}/{MANIFEST}"))) is not None


def _write_anew(how: RewriteRun, files: WindowFiles, newest: Published, claim: int) -> Steps[Manifest | None]:
    """The next generation: all points of the newest one but those of the series.

    :param claim: of the window
    :return: None when another run was faster
    """
    yield from verify_files(newest)
    window, old = files.window, newest.manifest
    number = max(old.generation + 1, *(one.generation for one in files.generations))
    folder = generation_folder(window_folder(how.spec.archive.folder, window), number)
    name = f"{REASON}-{how.token(window)}-0001"
    tags = tuple(sorted(how.spec.tags.items()))
    parts, erased = yield from ask(
        EraseParts(
            paths=newest.paths, tags=tags, interval=how.spec.span, folder=folder, name=name, keys=old.tags
        )
    )
    content = yield from read_back(folder, parts)
    differences = old.content.differences(merge([content, erased]), "the old files", "the new ones")
    if differences:
        yield from ask(RemoveFiles(part_paths(folder, parts)))
        what = f"the files written again are not what was archived without the series: {few(differences, MAX_DIFFERENCES)}"
        raise ArchiveMismatch(what, window=window, written="no new generation", fix="run it again")
    manifest = _manifest(how, old, number, parts, content)
    is_published = yield from holds_claim(window_folder(how.spec.archive.folder, window), claim)
    if is_published:
        yield from follow_purge(how.spec.archive, window, {*files.gone, old.generation}, number)
        yield from mark_generation(how.spec.archive.folder, window, number)
        is_published = yield from ask(PutNew(f"{folder}/{MANIFEST}", manifest.encode()))
    if not is_published:
        yield from ask(RemoveFiles(part_paths(folder, parts)))
        return None
    yield from ask(
        Report(
            f"Window {window}: generation {number} of the archive is generation {old.generation} without "
            f"{erased.total.rows:,} points"
        )
    )
    return manifest


def _manifest(
    how: RewriteRun, old: Manifest, number: int, parts: Sequence[Part], content: Fingerprint
) -> Manifest:
    # of a window whose points are not all in the bucket, what the bucket holds now has not been read
    source = content if old.source == old.content else Fingerprint()
    compacted = {COMPACTED: old.run[COMPACTED]} if COMPACTED in old.run else {}
    return replace(
        old,
        generation=number,
        parts=tuple(parts),
        content=content,
        source=source,
        created_at=format_instant(how.now()),
        previous=old.generation,
        run={**asdict(how.info), **compacted},
        versions=dict(how.versions),
        reason=f"{REASON}: {how.erase_id}",
    )


def _remove_matching(how: RewriteRun, one: Files) -> Steps[None]:
    """Remove the files of a generation that holds points of the series, and say so beside its manifest before that."""
    if one.published is None or not one.must_go(one.named):
        return
    files = tuple((part.name, part.sha256) for part in one.published.manifest.parts)
    erased = ErasedFiles(how.erase_id, one.generation, one.published.sha256, files)
    yield from write_erased(one.folder, erased)
    yield from ask(RemoveFiles(tuple(f"{one.folder}/{name}" for name in one.named)))


def generations_after(spec: EraseSpec, windows: Iterable[Interval]) -> Steps[list[dict[str, Any]]]:
    """The newest generation of some windows, for a certificate."""
    found = []
    for window in sorted(windows):
        published = yield from newest_generation(window_folder(spec.archive.folder, window))
        if published is not None:
            content = published.manifest.content.as_json()
            found.append({**_named(window, published), "content": content})
    return found
