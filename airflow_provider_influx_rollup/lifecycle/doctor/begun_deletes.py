"""Purges of an archive that have begun to delete and not ended: of all its buckets and measurements."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.archive.paths import decode_name, encode_name, parse_window, window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, StoreError
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import BegunDelete, begun_deletes
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import newest_generation
from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity, describe
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.shown import counted
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder

CHECK = "deletes"
LOOK_UPS_AT_A_TIME = 32
#: what names of organisations, buckets and measurements are as parts of a path
FOLDER = re.compile(r"[A-Za-z0-9_%~-]+")
NAMES = ("--org", "--bucket", "--measurement")
NO_OPTIONS: Mapping[str, str] = {}
UNKNOWN = "WHOLE_NAME"
NOT_WHOLE = (
    f" (give the name for {UNKNOWN}: that of the folder is shortened, and no manifest tells the whole)"
)


def examine_archive(
    shown: str, now: Clock, *, stuck_after: timedelta, options: Mapping[str, str] = NO_OPTIONS
) -> Steps[list[Finding]]:
    """Look for deletes that have not ended, in all of an archive. No server is asked, nothing is written.

    :param shown: the archive's path, for people
    :param now: the clock, aware UTC
    :param stuck_after: how long a purge may be at work
    :param options: of commands, for the server and its ledger
    """
    findings: list[Finding] = []
    windows_in_all = at_work = 0
    for folder in (yield from _measurement_folders()):
        names = yield from ask(ListFolder(folder))
        windows = sorted(window for name in names if (window := parse_window(name)) is not None)
        windows_in_all += len(windows)
        for one in (yield from begun_deletes(folder, windows)):
            if _is_at_work(one, now(), stuck_after):
                at_work += 1
            else:
                text = _not_ended(shown, folder, one, stuck_after)
                fix = yield from _fix(shown, folder, one, options)
                findings.append(Finding(CHECK, Severity.WARN, text, fix))
    if not windows_in_all:
        text = f"{shown} has no archived windows"
        return [Finding(CHECK, Severity.FAIL, text, "name the path that the archives of the DAGs have")]
    if not findings:
        working = f", {counted(at_work, 'purge')} at work" if at_work else ""
        text = f"no purge of {shown} has begun to delete and not ended; {counted(windows_in_all, 'archived window')}{working}"
        findings.append(Finding(CHECK, Severity.OK, text))
    return findings


def _measurement_folders() -> Steps[list[str]]:
    """The folders of all measurements, whatever organisation and bucket they are of."""
    folders = [""]
    for _ in ("organisation", "bucket", "measurement"):
        below: list[str] = []
        for first in range(0, len(folders), LOOK_UPS_AT_A_TIME):
            some = folders[first : first + LOOK_UPS_AT_A_TIME]
            listed = yield from ask(Gather(tuple(map(ListFolder, some))))
            for folder, names in zip(some, listed, strict=True):
                if names != [folder.rpartition("/")[2]] or (yield from _is_folder(f"{folder}/{names[0]}")):
                    found = (f"{folder}/{name}".removeprefix("/") for name in names if FOLDER.fullmatch(name))
                    below += found
        folders = below
    return folders


def _is_folder(path: str) -> Steps[bool]:
    """Whether a path whose two last names are equal is a folder; the listing of a file has the file's own name."""
    try:
        yield from ask(ListFolder(path))
    except StoreError:
        return False
    return True


def _is_at_work(one: BegunDelete, now: datetime, stuck_after: timedelta) -> bool:
    return bool(one.begun_at) and now - datetime.fromisoformat(one.begun_at) < stuck_after


def _not_ended(shown: str, folder: str, one: BegunDelete, stuck_after: timedelta) -> str:
    return (
        f"window {one.window} of {shown}/{folder}: a purge began to delete it more than "
        f"{describe(stuck_after.total_seconds())} ago and has not said that it ended: {one.text()}. Its archive keeps what "
        "is deleted from the bucket on purpose"
    )


def _fix(shown: str, folder: str, one: BegunDelete, options: Mapping[str, str]) -> Steps[str]:
    """What to do, with the command for it."""
    names = yield from _names(folder, one)
    given = dict(zip(NAMES, names, strict=True))
    words = " ".join(_option(name, value) for name, value in {**given, **options}.items())
    note = NOT_WHOLE if UNKNOWN in names else ""
    return (
        "run the purge again if it is not complete; once its process is surely gone: influx-rollup archive "
        f"{shlex.quote(shown)} {words} --forget-delete {one.file}{note}"
    )


def _names(folder: str, one: BegunDelete) -> Steps[list[str]]:
    """Organisation, bucket and measurement of a folder, from a manifest where the folder has only the begin of one."""
    parts = folder.split("/")
    names = [decode_name(part) for part in parts]
    is_whole = [encode_name(name) == part for name, part in zip(names, parts, strict=True)]
    if all(is_whole):
        return names
    try:
        newest = yield from newest_generation(window_folder(folder, one.window))
    except ArchiveMismatch:
        newest = None
    if newest is not None:
        return [newest.manifest.org, newest.manifest.bucket, newest.manifest.measurement]
    return [name if known else UNKNOWN for name, known in zip(names, is_whole, strict=True)]


def _option(name: str, value: str) -> str:
    """An option of a command as a shell takes it; a value that begins with ``-`` would be taken for an option."""
    return shlex.quote(f"{name}={value}") if value.startswith("-") else f"{name} {shlex.quote(value)}"
