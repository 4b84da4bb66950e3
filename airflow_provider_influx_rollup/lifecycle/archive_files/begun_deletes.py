"""Deletes of a purge that may still come: a purge that hangs right before its delete carries it out whenever it goes on.

A restore that brings the points back meanwhile lifts all that says that they are purged. So each purge leaves a file of its
own before its last look, and removes it when it has made its last delete; that of a run that died stays, since nobody can
tell it from one that hangs. As long as there is a file, an archive adds what has come to what it has, and drops nothing.
"""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.paths import DELETES
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, RemoveFiles


def begin_delete(window_folder: str, claim: int) -> Steps[None]:
    """Say that the run of a claim is about to delete the window."""
    yield from ask(PutNew(_path(window_folder, claim), b""))


def is_delete_begun(window_folder: str) -> Steps[bool]:
    """Whether a purge may have deleted points of the window, or may yet, without a word of how it ended."""
    names = yield from ask(ListFolder(f"{window_folder}/{DELETES}"))
    return any(name.isdigit() for name in names)


def end_delete(window_folder: str, claim: int) -> Steps[None]:
    """Say that the run of a claim deletes nothing, or nothing more."""
    yield from ask(RemoveFiles((_path(window_folder, claim),)))


def _path(window_folder: str, claim: int) -> str:
    return f"{window_folder}/{DELETES}/{claim:08d}"
