"""Deletes of a purge that may still come: a purge that hangs right before its delete carries it out whenever it goes on.

A restore that brings the points back meanwhile lifts all that says that they are purged. So each purge leaves a file of its
own before its last look, which only it, or a later purge of the window that is done, removes. As long as there is one,
points that a bucket lacks are no reason for an archive to drop them.
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
    """Whether a purge may have deleted points of the window without a word of how it ended."""
    return bool((yield from _begun(window_folder)))


def give_up_delete(window_folder: str, claim: int) -> Steps[None]:
    """Say that the run of a claim deletes nothing."""
    yield from ask(RemoveFiles((_path(window_folder, claim),)))


def end_deletes(window_folder: str, claim: int) -> Steps[None]:
    """The run of a claim has deleted the window: what earlier ones have begun takes nothing that it has not taken."""
    begun = yield from _begun(window_folder)
    done = tuple(_path(window_folder, one) for one in begun if one <= claim)
    if done:
        yield from ask(RemoveFiles(done))


def _begun(window_folder: str) -> Steps[list[int]]:
    names = yield from ask(ListFolder(f"{window_folder}/{DELETES}"))
    return [int(name) for name in names if name.isdigit()]


def _path(window_folder: str, claim: int) -> str:
    return f"{window_folder}/{DELETES}/{claim:08d}"
