"""Place of a generation's points: its own files, or, when they were removed, those of a larger window."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.documents import damaged, decode_sealed, encode_sealed
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.archive.manifest import part_paths
from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMissing
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import (
    FIX,
    Published,
    newest_generation,
    read_generation,
    verify_files,
)
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import FingerprintPoints, PutOver, ReadBytes
from airflow_provider_influx_rollup.windows.interval import Interval

#: in a generation's folder, once its files may be removed: which larger window holds its points
MOVED = "compacted.json"
FORMAT = "influx-rollup-compacted/1"
TRIES = 3


@dataclass(frozen=True, slots=True)
class PointsPlace:
    """Place of a generation's points.

    :param published: the generation
    :param holder: whose files hold them; most often the generation itself
    """

    published: Published
    holder: Published

    @property
    def is_moved(self) -> bool:
        """Whether the generation has no files of its own any more."""
        return self.holder != self.published

    @property
    def window(self) -> Interval:
        """Window of the generation; the files may hold more."""
        return self.published.manifest.window

    @property
    def paths(self) -> tuple[str, ...]:
        """The Parquet files that may have points of the window."""
        return tuple(path for path, _ in self.files_of(self.window))

    def files_of(self, interval: Interval) -> tuple[tuple[str, str], ...]:
        """The Parquet files that may have points of an interval, with their hashes."""
        parts = [part for part in self.holder.manifest.parts if part.reaches(interval)]
        return tuple(zip(part_paths(self.holder.folder, parts), (part.sha256 for part in parts), strict=True))


@dataclass(frozen=True, slots=True)
class Moved:
    """The larger generation into which the points of one went.

    :param window: the larger window
    """

    window: Interval
    generation: int


def read_moved(generation_folder: str) -> Steps[Moved | None]:
    """The larger generation that replaced a generation; None when it has its own files.

    :raises ArchiveMismatch: when the document is damaged
    """
    path = f"{generation_folder}/{MOVED}"
    data = yield from ask(ReadBytes(path))
    if data is None:
        return None
    values = decode_sealed(data, path)
    if values.get("format") != FORMAT:
        raise damaged(path, f"its format is {values.get('format')!r}, not {FORMAT!r}")
    return Moved(Interval.from_json(values["window"]), int(values["generation"]))


def write_moved(generation_folder: str, moved: Moved) -> Steps[None]:
    """Say which larger generation holds the points; always before a file is removed."""
    values = {"format": FORMAT, "window": moved.window.as_json(), "generation": moved.generation}
    yield from ask(PutOver(f"{generation_folder}/{MOVED}", encode_sealed(values)))


def find_held(published: Published) -> Steps[PointsPlace]:
    """Place of a generation's points.

    :raises ArchiveMissing: when they were moved, and the larger window does not hold them
    """
    holder = published
    while (moved := (yield from read_moved(holder.folder))) is not None:
        holder = yield from _larger(holder, moved)
    return PointsPlace(published, holder)


def _larger(small: Published, moved: Moved) -> Steps[Published]:
    """The generation of a larger window that holds one: the newest, or, for an old one, that which took its place."""
    own = small.manifest
    folder = window_folder(small.folder.rpartition("/")[0].rpartition("/")[0], moved.window)
    newest = yield from newest_generation(folder)
    for found in (newest, (yield from read_generation(folder, moved.generation))):
        if found is not None and compacted_of(found.manifest).get(own.window) == own.generation:
            return found
    what = (
        f"generation {own.generation} of {own.window} was compacted into {moved.window}, generation "
        f"{moved.generation}, which does not hold it"
    )
    raise ArchiveMissing(what, window=own.window, written="nothing", fix=FIX)


def verify_held(published: Published) -> Steps[tuple[PointsPlace, Fingerprint]]:
    """Verify the files that hold a generation.

    :return: where its points are, and what they are, from the files
    :raises ArchiveMismatch: when a file is not what its manifest says
    :raises ArchiveMissing: when a file is not there
    """
    for _ in range(TRIES):
        held = yield from find_held(published)
        try:
            found = yield from verify_files(held.holder)
            if held.is_moved:
                found = yield from ask(FingerprintPoints(held.paths, held.window))
        except ArchiveMissing:
            # a compaction may have removed them meanwhile
            if (yield from find_held(published)) == held:
                raise
            continue
        return held, found
    what = f"the files of {published.folder} were moved again and again"
    raise ArchiveMissing(what, window=published.manifest.window, written="nothing", fix="run it again")
