"""Read an archive back, every generation of it, and compare each file with its manifest."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.paths import MANIFEST, parse_window, window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.lifecycle.archive_files.erased_files import read_erased
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import (
    Published,
    generations,
    read_generation,
    verify_files,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.index import indexed_entries, is_wanted
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import read_moved
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder
from airflow_provider_influx_rollup.windows.interval import Interval

LOST = "the index of the archive names it, and it has no manifest: bring its folder back from a copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One generation of a window.

    :param problem: what is wrong with it; empty when nothing is
    :param moved: where its points are when its files were removed; empty when they are there
    """

    window: Interval
    generation: int
    rows: int
    bytes: int
    problem: str = ""
    moved: str = ""

    @property
    def told(self) -> str:
        """The findings."""
        return self.problem or self.moved or "as its manifest says"


def verify_archive(folder: str, interval: Interval | None = None) -> Steps[list[Checked]]:
    """Check every published generation, also the older ones; a damaged one does not stop the others.

    What the index names and no folder has is lost: nothing else would tell of a window whose folder is gone.

    :param folder: of the measurement
    :param interval: only windows that overlap it; None: all
    """
    # before the folders: they may have more by then, and not less
    indexed = yield from indexed_entries(folder)
    names = yield from ask(ListFolder(folder))
    windows = sorted(window for name in names if (window := parse_window(name)) is not None)
    checked = []
    for window in windows:
        if not is_wanted(window, interval):
            continue
        for number in (yield from generations(window_folder(folder, window))):
            one = yield from _check(folder, window, number)
            if one is not None:
                checked.append(one)
                yield from ask(Report(f"{window}, generation {number}: {one.told}"))
    seen = {(one.window, one.generation) for one in checked}
    checked += [
        Checked(
            window=entry.window, generation=entry.generation, rows=entry.rows, bytes=entry.bytes, problem=LOST
        )
        for entry in indexed
        if is_wanted(entry.window, interval) and (entry.window, entry.generation) not in seen
    ]
    return sorted(checked, key=lambda one: (one.window, one.generation))


def _check(folder: str, window: Interval, number: int) -> Steps[Checked | None]:
    try:
        published = yield from read_generation(window_folder(folder, window), number)
    except ArchiveMismatch as error:
        return Checked(window=window, generation=number, rows=0, bytes=0, problem=error.what)
    if published is None:
        return None  # begun, and never published
    manifest = published.manifest
    problem = ""
    if (manifest.window, manifest.generation) != (window, number):
        problem = (
            f"{published.folder}/{MANIFEST} is of window {manifest.window}, generation {manifest.generation}"
        )
    told = ""
    try:
        told = yield from _require_points(folder, published)
    except (ArchiveMismatch, ArchiveMissing) as error:
        problem = error.what
    return Checked(
        window=window,
        generation=number,
        rows=manifest.content.total.rows,
        bytes=manifest.size_bytes,
        problem=problem,
        moved=told,
    )


def _verify_own(published: Published) -> Steps[str]:
    try:
        yield from verify_files(published)
    except ArchiveMissing:
        erased = yield from read_erased(published.folder)
        if erased is None or erased.manifest_sha256 != published.sha256:
            raise
        return f"erased: its files were removed by erasure {erased.erase_id}"
    return ""


def _require_points(folder: str, published: Published) -> Steps[str]:
    """Its files, or the larger generation that took their place, which is checked by itself.

    :return: where the points are, when they are not in its files
    """
    moved = yield from read_moved(published.folder)
    if moved is None:
        return (yield from _verify_own(published))
    large = yield from read_generation(window_folder(folder, moved.window), moved.generation)
    own = published.manifest
    if large is None or compacted_of(large.manifest).get(own.window) != own.generation:
        what = f"{published.folder} was compacted into {moved.window}, generation {moved.generation}, which does not hold it"
        fix = "bring the larger window's files back from a copy"
        raise ArchiveMissing(what, window=own.window, written="nothing", fix=fix)
    return f"compacted into {moved.window}, generation {moved.generation}"
