"""Purges of an archive that have begun to delete and not ended: of all its buckets and measurements."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.archive.paths import decode_name, parse_window
from airflow_provider_influx_rollup.exceptions import StoreError
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import BegunDelete, begun_deletes
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


def examine_archive(shown: str, now: Clock, *, stuck_after: timedelta) -> Steps[list[Finding]]:
    """Look for deletes that have not ended, in all of an archive. No server is asked, nothing is written.

    :param shown: the archive's path, for people
    :param now: the clock, aware UTC
    :param stuck_after: how long a purge may be at work
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
                findings.append(_not_ended(shown, folder, one, stuck_after))
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


def _not_ended(shown: str, folder: str, one: BegunDelete, stuck_after: timedelta) -> Finding:
    text = (
        f"window {one.window} of {shown}/{folder}: a purge began to delete it more than "
        f"{describe(stuck_after.total_seconds())} ago and has not said that it ended: {one.text()}. Its archive keeps what "
        "is deleted from the bucket on purpose"
    )
    org, bucket, measurement = (shlex.quote(decode_name(name)) for name in folder.split("/"))
    fix = (
        "run the purge again if it is not complete; once its process is surely gone: influx-rollup archive "
        f"{shlex.quote(shown)} --org {org} --bucket {bucket} --measurement {measurement} --forget-delete {one.file}"
    )
    return Finding(CHECK, Severity.WARN, text, fix)
