"""Remove files whose points a large window holds, of windows whose points the bucket has no more."""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published, newest_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import Moved, read_moved, write_moved
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import DONE, read_purge
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, RemoveFiles
from airflow_provider_influx_rollup.windows.interval import Interval


def remove_small(spec: CompactSpec, large: Published) -> Steps[int]:
    """Remove the files of the newest generations that a large window holds; their manifests stay.

    Only of windows whose purge of that generation is done: nothing makes a new one of them but late points. And of windows
    that were compacted themselves.

    :param large: its files were verified by this run
    :return: of how many windows files were removed
    """
    removed = 0
    for window, number in sorted(compacted_of(large.manifest).items()):
        folder = window_folder(spec.folder, window)
        newest = yield from newest_generation(folder)
        if newest is None or newest.manifest.generation != number:
            continue
        if (yield from read_moved(newest.folder)) is None:
            if not (yield from _may_go(folder, newest)):
                continue
            yield from write_moved(newest.folder, Moved(large.manifest.window, large.manifest.generation))
        names = [name for name in (yield from ask(ListFolder(newest.folder))) if name.endswith(".parquet")]
        if names:
            yield from ask(RemoveFiles(tuple(f"{newest.folder}/{name}" for name in names)))
            removed += 1
    if removed:
        yield from ask(Report(_told(large.manifest.window, removed)))
    return removed


def _may_go(folder: str, newest: Published) -> Steps[bool]:
    if compacted_of(newest.manifest):
        return True
    purge = yield from read_purge(folder)
    return purge is not None and (purge.state, purge.generation) == (DONE, newest.manifest.generation)


def _told(window: Interval, removed: int) -> str:
    return f"Window {window}: the files of {removed} smaller windows were removed, as it holds their points"
