"""Find the archived windows of a measurement: by its index, and by folders where the index cannot know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_influx_rollup.archive.catalog import (
    FOLDER,
    Catalog,
    Entry,
    Mark,
    parse_marks,
    parse_versions,
    version_name,
)
from airflow_provider_influx_rollup.archive.paths import (
    MANIFEST,
    generation_folder,
    parse_generation,
    parse_window,
    window_folder,
)
from airflow_provider_influx_rollup.archive.placement import decode_in_place
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import newest_generation
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, ReadBytes, RemoveFiles
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.interval import Interval

TRIES = 5
LOOK_UPS_AT_A_TIME = 8
#: this many marks make a new version; until then readers look these windows up themselves
MANY_MARKS = 24
VERSIONS_KEPT = 2


def has_windows(folder: str) -> Steps[bool]:
    """Whether anything of a measurement was ever archived.

    :param folder: of the measurement
    """
    return any(parse_window(name) is not None for name in (yield from ask(ListFolder(folder))))


def find_entries(folder: str, interval: Interval | None = None) -> Steps[list[Entry]]:
    """The newest generation of every archived window, by start.

    What the index does not know is looked up: windows with a mark, and, where it leaves a gap, windows that have a folder.

    :param folder: of the measurement
    :param interval: only windows that overlap it; None: all
    :raises ArchiveMismatch: when a manifest that was looked up is damaged, or of another measurement or window
    """
    catalog, marks = yield from _read(folder)
    known = {window: entry for window, entry in catalog.entries.items() if is_wanted(window, interval)}
    wanted = {mark.window for mark in marks if is_wanted(mark.window, interval)}
    if known and not catalog.folder:
        # a version of before does not say whose it is, but manifests do
        wanted.add(min(known))
    if interval is None or subtract([interval], [held for entry in known.values() for held in entry.covered]):
        wanted |= {
            window
            for name in (yield from ask(ListFolder(folder)))
            if (window := parse_window(name)) is not None
            and window not in known
            and is_wanted(window, interval)
        }
    for entry in (yield from _look_up(folder, sorted(wanted))):
        known[entry.window] = entry
    return [known[window] for window in sorted(known)]


def indexed_entries(folder: str) -> Steps[list[Entry]]:
    """Generations that the newest version of the index names, whether the folders have them or not.

    :param folder: of the measurement
    """
    catalog, _ = yield from _read(folder)
    return [entry for _, entry in sorted(catalog.entries.items())]


def mark_generation(folder: str, window: Interval, generation: int) -> Steps[None]:
    """Say that a generation is about to be published; always before its manifest is.

    :param folder: of the measurement
    """
    mark = Mark(window, generation)
    yield from ask(PutNew(f"{folder}/{FOLDER}/{mark.name}", b""))


def fold_marks(folder: str, least: int = MANY_MARKS) -> Steps[bool]:
    """Make a new version of the index of what was marked.

    Versions follow each other: a writer who finds that another has made the next one begins again from that.

    :param folder: of the measurement
    :param least: fewer marks than this stay
    :return: whether there is a new version
    """
    for _ in range(TRIES):
        catalog, marks = yield from _read(folder)
        if len(marks) < max(least, 1):
            return False
        windows = {mark.window for mark in marks}
        if not catalog.entries:
            windows |= yield from _all_windows(folder)
        try:
            made = yield from _write_next(folder, catalog, windows, marks)
        except ArchiveMismatch as error:
            yield from ask(Report(f"There is no new version of the index: {error}", "warning"))
            return False
        if made is not None:
            return True
    return False  # others make versions faster; the marks stay, and readers go by them


def rebuild_catalog(folder: str) -> Steps[Catalog]:
    """Make a version from the folders alone, whatever the last one says.

    :param folder: of the measurement
    :raises ArchiveMismatch: when a manifest is damaged, or others make versions all the time
    """
    for _ in range(TRIES):
        catalog, marks = yield from _read(folder)
        windows = yield from _all_windows(folder)
        empty = Catalog(catalog.version)
        if (made := (yield from _write_next(folder, empty, windows, marks))) is not None:
            return made
    what = f"the index in {folder}/{FOLDER} changes all the time"
    raise ArchiveMismatch(
        what, written="no version of it", fix="run it again when fewer windows are archived"
    )


def _write_next(
    folder: str, catalog: Catalog, windows: Iterable[Interval], marks: Sequence[Mark]
) -> Steps[Catalog | None]:
    """Make the version after one; None when another writer was faster."""
    changed = yield from _look_up(folder, sorted(windows))
    made = catalog.next(changed, folder)
    if not (yield from ask(PutNew(f"{folder}/{FOLDER}/{version_name(made.version)}", made.encode()))):
        return None
    # a mark whose generation is still to come stays
    done = [
        mark
        for mark in marks
        if (entry := made.entries.get(mark.window)) and entry.generation >= mark.generation
    ]
    names = yield from ask(ListFolder(f"{folder}/{FOLDER}"))
    old = [number for number in parse_versions(names) if number <= made.version - VERSIONS_KEPT]
    yield from ask(
        RemoveFiles(
            tuple(
                f"{folder}/{FOLDER}/{name}"
                for name in (*(mark.name for mark in done), *map(version_name, old))
            )
        )
    )
    return made


def _read(folder: str) -> Steps[tuple[Catalog, list[Mark]]]:
    """The newest version and the marks, which were listed together."""
    for _ in range(TRIES):
        names = yield from ask(ListFolder(f"{folder}/{FOLDER}"))
        versions = parse_versions(names)
        marks = parse_marks(names)
        if not versions:
            return Catalog(), marks
        path = f"{folder}/{FOLDER}/{version_name(versions[-1])}"
        data = yield from ask(ReadBytes(path))
        if data is None:
            continue  # there are newer ones meanwhile
        try:
            return Catalog.decode(data, path), marks
        except ArchiveMismatch as error:
            yield from ask(Report(f"{error.what}; the windows are looked up in their folders", "warning"))
            return Catalog(versions[-1]), marks
    return Catalog(), []


def _look_up(folder: str, windows: Sequence[Interval]) -> Steps[list[Entry]]:
    """The newest generation of some windows, from their folders; those without one are left out."""
    found: list[Entry] = []
    for first in range(0, len(windows), LOOK_UPS_AT_A_TIME):
        folders = [window_folder(folder, window) for window in windows[first : first + LOOK_UPS_AT_A_TIME]]
        listed = yield from ask(Gather(tuple(ListFolder(one) for one in folders)))
        paths = [_newest_manifest(one, names) for one, names in zip(folders, listed, strict=True)]
        read = yield from ask(Gather(tuple(ReadBytes(path) for path in paths)))
        for one, path, data in zip(folders, paths, read, strict=True):
            if data is not None:
                found.append(Entry.of(decode_in_place(data, path)))
            elif (published := (yield from newest_generation(one))) is not None:
                found.append(Entry.of(published.manifest))
    return found


def _newest_manifest(folder: str, names: Iterable[str]) -> str:
    numbers = [number for name in names if (number := parse_generation(name)) is not None]
    return f"{generation_folder(folder, max(numbers, default=1))}/{MANIFEST}"


def _all_windows(folder: str) -> Steps[set[Interval]]:
    return {
        window for name in (yield from ask(ListFolder(folder))) if (window := parse_window(name)) is not None
    }


def is_wanted(window: Interval, interval: Interval | None) -> bool:
    """Whether a window overlaps an interval; None is all time."""
    return interval is None or window.overlaps(interval)
