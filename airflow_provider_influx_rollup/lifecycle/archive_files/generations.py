"""The newest generation of an archived window, and whether its files are what its manifest says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.documents import sha256_of
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.archive.manifest import Manifest, Part, part_paths
from airflow_provider_influx_rollup.archive.paths import (
    MANIFEST,
    generation_folder,
    parse_generation,
    window_folder,
)
from airflow_provider_influx_rollup.archive.placement import decode_in_place
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.lifecycle.archive_files.erased_files import read_erased
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import FingerprintPart, ListFolder, ReadBytes
from airflow_provider_influx_rollup.windows.interval import Interval

READS_AT_A_TIME = 2
FIX = "bring the files back from a copy, or archive the window again while its points are there"


@dataclass(frozen=True, slots=True)
class Published:
    """A generation that has a manifest.

    :param folder: of the generation, in the store
    :param data: the manifest's bytes
    """

    folder: str
    manifest: Manifest
    data: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the manifest."""
        return sha256_of(self.data)

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the Parquet files."""
        return part_paths(self.folder, self.manifest.parts)


def generations(window_folder: str) -> Steps[list[int]]:
    """The numbers of all generations that were begun, in order."""
    names = yield from ask(ListFolder(window_folder))
    return sorted(number for name in names if (number := parse_generation(name)) is not None)


def next_number(window_folder: str, newest: Published | None) -> Steps[int]:
    """The number of a generation to make: that of one which was begun and never published, or a new one."""
    begun = yield from generations(window_folder)
    return max([newest.manifest.generation + 1 if newest else 1, *begun])


def newest_generation(window_folder: str) -> Steps[Published | None]:
    """The newest generation that was published; None when there is none.

    :raises ArchiveMismatch: when its manifest is damaged, or of another measurement or window
    """
    for number in reversed((yield from generations(window_folder))):
        found = yield from read_generation(window_folder, number)
        if found is not None:
            return found
    return None


def later_generation(window_folder: str, known: Published) -> Steps[Published | None]:
    """The newest generation, when it was published after a known one."""
    if max((yield from generations(window_folder)), default=0) <= known.manifest.generation:
        return None
    newest = yield from newest_generation(window_folder)
    return newest if newest is not None and newest.manifest.generation > known.manifest.generation else None


def read_generation(window_folder: str, number: int) -> Steps[Published | None]:
    """One generation; None when it was not published.

    :raises ArchiveMismatch: when its manifest is damaged, or of another measurement, window or generation
    """
    folder = generation_folder(window_folder, number)
    path = f"{folder}/{MANIFEST}"
    data = yield from ask(ReadBytes(path))
    if data is None:
        return None
    return Published(folder, decode_in_place(data, path), data)


def standing_generation(window_folder: str, number: int) -> Steps[int]:
    """The generation that stands for the points of an earlier one: itself, until an erasure has removed its files."""
    if (yield from read_erased(generation_folder(window_folder, number))) is None:
        return number
    newest = yield from newest_generation(window_folder)
    return newest.manifest.generation if newest is not None else number


def require_generation(measurement_folder: str, window: Interval, number: int) -> Steps[Published]:
    """A generation that the index names.

    :raises ArchiveMissing: when it was never published
    """
    found = yield from read_generation(window_folder(measurement_folder, window), number)
    if found is None:
        what = f"generation {number} of the window is in the index of the archive, and has no manifest"
        fix = "bring the folder back from a copy, or make the index again: influx-rollup catalog --rebuild"
        raise ArchiveMissing(what, window=window, written="nothing", fix=fix)
    return found


def verify_files(published: Published) -> Steps[Fingerprint]:
    """Read every file back and compare it with the manifest.

    :return: what the files hold, with its series
    :raises ArchiveMismatch: naming what differs
    :raises ArchiveMissing: when a file is not there, also because series of it were erased
    """
    try:
        return (yield from _verify_files(published))
    except ArchiveMissing:
        erased = yield from read_erased(published.folder)
        if erased is None:
            raise
        window = published.manifest.window
        what = f"generation {erased.generation} of {window} holds series that were erased (erasure {erased.erase_id}): its files are gone for good"
        fix = "use the newest generation, which has all other points"
        raise ArchiveMissing(what, window=window, written="nothing", fix=fix) from None


def read_files(
    folder: str, parts: Sequence[Part], other: Callable[[str], ArchiveMismatch]
) -> Steps[Fingerprint]:
    """Contents of files, read from them.

    :param other: the error of a path at which another file is
    :raises ArchiveMismatch: that of the first such file
    """
    found: list[Fingerprint] = []
    for first in range(0, len(parts), READS_AT_A_TIME):
        some = parts[first : first + READS_AT_A_TIME]
        paths = part_paths(folder, some)
        reads = tuple(FingerprintPart(path, part.sha256) for path, part in zip(paths, some, strict=True))
        answers = yield from ask(Gather(reads))
        for path, part, (read, fingerprint) in zip(paths, some, answers, strict=True):
            if read != part:
                raise other(path)
            found.append(fingerprint)
    return merge(found)


def _verify_files(published: Published) -> Steps[Fingerprint]:
    manifest = published.manifest

    def other(path: str) -> ArchiveMismatch:
        what = f"{path} is not the file that its manifest names"
        return ArchiveMismatch(what, window=manifest.window, written="nothing", fix=FIX)

    whole = yield from read_files(published.folder, manifest.parts, other)
    differences = whole.differences(manifest.content, "the files", "the manifest")
    if differences or whole.series_count != manifest.content.series_count:
        what = f"the files of {published.folder} are not what its manifest says: {'; '.join(differences) or 'other series'}"
        raise ArchiveMismatch(what, window=manifest.window, written="nothing", fix=FIX)
    return whole
