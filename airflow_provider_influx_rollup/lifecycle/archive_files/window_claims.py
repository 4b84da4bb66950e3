"""Whose turn it is to delete the points of an archived window, or to say that they are back.

Each purge and each restore in place claims the windows before it looks at their marks, under the next free number. The
last claim holds: whoever is about to do what cannot be undone looks whether a later one has come, and leaves the window
to it then. A run that died is so taken over by the next one, and needs no clock to be told from one that hangs.
"""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.paths import CLAIMS
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, RemoveFiles


def claim_window(window_folder: str) -> Steps[int]:
    """Take a window over from whoever has it.

    :return: the number of the claim
    """
    number = max((yield from _claims(window_folder)), default=0)
    while True:
        number += 1
        # without a byte: a store tells two makers of the same bytes apart only then
        if (yield from ask(PutNew(_path(window_folder, number), b""))):
            return number


def holds_claim(window_folder: str, number: int) -> Steps[bool]:
    """Whether no other run has claimed the window since."""
    return max((yield from _claims(window_folder)), default=0) == number


def release_claim(window_folder: str, number: int) -> Steps[None]:
    """Leave a window as it was before it was claimed: nothing of it was changed."""
    if number:
        yield from ask(RemoveFiles((_path(window_folder, number),)))


def forget_claims(window_folder: str, number: int) -> Steps[None]:
    """Remove the claims before one; the last stays, so that no number is used twice."""
    old = tuple(_path(window_folder, one) for one in (yield from _claims(window_folder)) if one < number)
    if old:
        yield from ask(RemoveFiles(old))


def _claims(window_folder: str) -> Steps[list[int]]:
    names = yield from ask(ListFolder(f"{window_folder}/{CLAIMS}"))
    return [int(name) for name in names if name.isdigit()]


def _path(window_folder: str, number: int) -> str:
    return f"{window_folder}/{CLAIMS}/{number:08d}"
