"""Deletes that were begun and have not ended, as people see them, and how one is forgotten whose run is dead."""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.paths import parse_window, window_folder, window_of_path
from airflow_provider_influx_rollup.exceptions import ConfigurationError, PurgeRefused
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import (
    BegunDelete,
    begun_deletes,
    end_delete,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import newest_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.index import is_wanted
from airflow_provider_influx_rollup.lifecycle.archive_files.place import located
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import read_purge
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.lifecycle.source.whole_read import fingerprint_source, plan_read
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder
from airflow_provider_influx_rollup.windows.interval import Interval

NOT_EQUAL = (
    "that run may have deleted points: without the file, the next archive would drop what the bucket lacks"
)
RESTORE = "restore the window and archive it first; what was deleted on purpose can be deleted again when the file is gone"
ARCHIVE = "archive the window first"
NAME_ONE = "name one that --begun-deletes lists, relative to the measurement's folder"
PRESENT = "name the bucket as it is called now, or give the token permission to read it"


def not_ended(begun: BegunDelete) -> str:
    """The message about a delete, with what it means and what to do."""
    return (
        f"Window {begun.window}: a purge has begun to delete it and has not said that it ended: {begun.text()}. As long as "
        f"{begun.file} is there, the archive keeps what it has of the window, also what is deleted from the bucket on "
        "purpose. Once you know that its process is gone, remove the file: influx-rollup archive BASE --bucket "
        f"... --measurement ... --forget-delete {begun.file}"
    )


def all_begun_deletes(measurement_folder: str, interval: Interval | None) -> Steps[list[BegunDelete] | None]:
    """The deletes of an archive that have not ended, or None when it has no such window; asks no server.

    :param interval: only of windows that overlap it; None: all
    """
    names = yield from ask(ListFolder(measurement_folder))
    windows = sorted(
        window for name in names if (window := parse_window(name)) is not None and is_wanted(window, interval)
    )
    return (yield from begun_deletes(measurement_folder, windows)) if windows else None


def forget_delete(spec: ArchiveSpec, file: str, now: Clock, *, dry_run: bool) -> Steps[BegunDelete]:
    """Remove the file of a delete whose run is dead, as a person knows; archives follow the bucket again.

    Whether the run has deleted points before it died is not known. So the bucket must hold what the newest generation does,
    which must have been made of it, or the window must be known as purged.

    :param file: its path in the folder of the measurement, or with that folder's before it
    :param now: the clock, aware UTC
    :param dry_run: look only
    :raises ConfigurationError: when there is no such file
    :raises PurgeRefused: when points that the archive has could be dropped from it then
    """
    spec = yield from located(spec)
    shown_folder = f"{spec.shown_path}/{spec.folder}"
    file = file.removeprefix(f"{shown_folder}/")
    window = window_of_path(file)
    found = (yield from begun_deletes(spec.folder, [window])) if window else []
    begun = next((one for one in found if one.file == file), None)
    if begun is None:
        what = f"{shown_folder} has no begun delete {file!r}"
        raise ConfigurationError(what, written="nothing", fix=NAME_ONE)
    yield from _require_nothing_dropped(spec, begun.window, now)
    if not dry_run:
        yield from end_delete(window_folder(spec.folder, begun.window), begun.claim)
    return begun


def _require_nothing_dropped(spec: ArchiveSpec, window: Interval, now: Clock) -> Steps[None]:
    folder = window_folder(spec.folder, window)
    newest = yield from newest_generation(folder)
    if newest is None or (yield from read_purge(folder)) is not None:
        return
    bucket = yield from require_bucket(spec.bucket, window, fix=PRESENT)
    if is_too_old(window, bucket, now()):
        # what retention may have taken stays archived anyway
        return
    plan = yield from plan_read(spec, window, bucket)
    source = yield from fingerprint_source(spec, plan)
    content = newest.manifest.content
    if source == content == newest.manifest.source:
        return
    number = newest.manifest.generation
    what = f"generation {number} of the archive is not what the bucket holds, or was not made of it, and {NOT_EQUAL}"
    fix = RESTORE if source.lacks_points_of(content) else ARCHIVE
    raise PurgeRefused(what, window=window, written="nothing", fix=fix)
