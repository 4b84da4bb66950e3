"""Publish files as a generation: read back before, by a manifest that only one run can put, and never over an erasure."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.archive.manifest import Manifest, Part
from airflow_provider_influx_rollup.archive.paths import MANIFEST, window_of_path
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.lifecycle.archive_files.fences import read_fences
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published, read_files
from airflow_provider_influx_rollup.lifecycle.archive_files.index import mark_generation
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import (
    ListFolder,
    PutNew,
    ReadBytes,
    RemoveFiles,
)
from airflow_provider_influx_rollup.windows.interval import Interval

#: differences that a message names
MAX_DIFFERENCES = 5
ERASED_MEANWHILE = "series were erased meanwhile"


def read_back(folder: str, parts: Sequence[Part]) -> Steps[Fingerprint]:
    """Contents of the files, read from the files.

    :raises ArchiveMismatch: when one is not as it was written
    """

    def other(path: str) -> ArchiveMismatch:
        what = f"{path} does not hold what was written to it"
        fix = "look at the store, then run it again"
        return ArchiveMismatch(what, window=window_of_path(folder), written="no manifest", fix=fix)

    return (yield from read_files(folder, parts, other))


def publish(
    measurement_folder: str, published: Published, token: str, fences: int
) -> Steps[Published | None]:
    """Make a generation exist, unless another run has published this number, or series were erased meanwhile.

    :param published: its files are written and proven
    :param token: part of the names of this try's files
    :param fences: how often series had been erased before anything was read
    :return: None when it does not exist; the files are gone then
    """
    folder, manifest = published.folder, published.manifest
    if (yield from read_fences(measurement_folder)) != fences:
        yield from ask(Report(f"Window {manifest.window}: {ERASED_MEANWHILE}", "warning"))
        yield from give_way(folder, token, manifest.window)
        return None
    yield from mark_generation(measurement_folder, manifest.window, manifest.generation)
    if not (yield from ask(PutNew(f"{folder}/{MANIFEST}", published.data))):
        yield from give_way(folder, token, manifest.window)
        return None
    names = yield from names_unless_taken(published)
    if names is None:
        return None
    yield from _remove_unnamed(published, names)
    return published


def names_unless_taken(published: Published) -> Steps[Sequence[str] | None]:
    """Names in the folder of a generation that has just been published; it is withdrawn when an erasure has taken files of it.

    :return: None when it is withdrawn: it cannot have been read
    """
    folder, manifest = published.folder, published.manifest
    names = yield from ask(ListFolder(folder))
    if {part.name for part in manifest.parts}.issubset(names):
        return names
    yield from ask(RemoveFiles((f"{folder}/{MANIFEST}",)))
    yield from ask(Report(f"Window {manifest.window}: {ERASED_MEANWHILE}", "warning"))
    return None


def remove_unnamed(published: Published) -> Steps[None]:
    """Remove the files of a generation's folder that its manifest does not name."""
    yield from _remove_unnamed(published, (yield from ask(ListFolder(published.folder))))


def _remove_unnamed(published: Published, names: Sequence[str]) -> Steps[None]:
    """Files left by crashed runs, or by runs that this manifest will stop.

    Such a file may hold points that were erased after they were read for it.
    """
    mine = {part.name for part in published.manifest.parts}
    leftovers = [name for name in names if name.endswith(".parquet") and name not in mine]
    if leftovers:
        yield from ask(RemoveFiles(tuple(f"{published.folder}/{name}" for name in leftovers)))


def give_way(folder: str, token: str, window: Interval) -> Steps[None]:
    """Remove the files of a try, but none that a manifest names, whoever wrote it."""
    path = f"{folder}/{MANIFEST}"
    data = yield from ask(ReadBytes(path))
    named = {part.name for part in Manifest.decode(data, path).parts} if data is not None else set()
    names = yield from ask(ListFolder(folder))
    mine = [name for name in names if token in name and name not in named]
    yield from ask(RemoveFiles(tuple(f"{folder}/{name}" for name in mine)))
    if data is not None:
        yield from ask(Report(f"Window {window}: another run was faster", "warning"))
