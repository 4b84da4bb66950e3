"""Deletes of a purge that may still come: a purge that hangs right before its delete carries it out whenever it goes on.

A restore that brings the points back meanwhile lifts all that says that they are purged. So each purge leaves a file of its
own before its last look, and removes it when it has made its last delete, or knows that it makes none. That of a run that
died stays until a person removes it, since nobody else can tell it from one that hangs: that its task is tried again does
not. As long as there is a file, an archive adds what has come to what it has, and drops nothing. It says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.documents import decode_document, encode_document
from airflow_provider_influx_rollup.archive.paths import DELETES, window_folder
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, ReadBytes, RemoveFiles
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

FORMAT = "influx-rollup-begun-delete/1"
LOOK_UPS_AT_A_TIME = 32
RUN = ("dag_id", "task_id", "run_id", "try_number", "map_index")


@dataclass(frozen=True, slots=True)
class BegunDelete:
    """A delete of a window that has not ended, as far as anybody has said.

    :param claim: of the purge
    :param begun_at: when, in RFC 3339; empty when the file does not say it, as those of earlier versions
    :param run: dag_id, task_id, run_id, try_number and map_index of the purge, as far as the file says them
    """

    window: Interval
    claim: int
    begun_at: str = ""
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Its path in the folder of the measurement."""
        return _path(window_folder("", self.window).removeprefix("/"), self.claim)

    def as_json(self) -> dict[str, Any]:
        """Small JSON for results."""
        run = {name: self.run.get(name) for name in RUN}
        return {"window": self.window.as_json(), "file": self.file, "begun_at": self.begun_at or None, **run}

    def text(self) -> str:
        """Whose it is, for people."""
        if not self.run:
            return "a purge whose file does not say of which run it is"
        names = (("DAG", "dag_id"), ("task", "task_id"), ("run", "run_id"))
        parts = [f"{noun} {self.run[name]!r}" for noun, name in names if self.run[name]]
        mapped = [f"map index {self.run['map_index']}"] if self.run["map_index"] >= 0 else []
        return ", ".join([*parts, f"try {self.run['try_number']}", *mapped, f"at {self.begun_at}"])


def begin_delete(window_folder: str, claim: int, run: RunInfo, now: datetime) -> Steps[None]:
    """Say that the run of a claim is about to delete the window.

    :param now: aware UTC
    """
    values = asdict(run)
    data = {"format": FORMAT, "begun_at": format_instant(now), "run": {name: values[name] for name in RUN}}
    yield from ask(PutNew(_path(window_folder, claim), encode_document(data)))


def is_delete_begun(window_folder: str) -> Steps[bool]:
    """Whether a purge may have deleted points of the window, or may yet, without a word of how it ended."""
    return bool(_claims((yield from ask(ListFolder(f"{window_folder}/{DELETES}")))))


def end_delete(window_folder: str, claim: int) -> Steps[None]:
    """Say that the run of a claim deletes nothing, or nothing more."""
    yield from ask(RemoveFiles((_path(window_folder, claim),)))


def begun_deletes(measurement_folder: str, windows: Sequence[Interval]) -> Steps[list[BegunDelete]]:
    """The deletes of some windows that were begun and have not ended, as far as anybody has said.

    :param windows: in order
    """
    found: list[BegunDelete] = []
    for first in range(0, len(windows), LOOK_UPS_AT_A_TIME):
        some = windows[first : first + LOOK_UPS_AT_A_TIME]
        folders = [window_folder(measurement_folder, window) for window in some]
        listed = yield from ask(Gather(tuple(ListFolder(f"{folder}/{DELETES}") for folder in folders)))
        for window, folder, names in zip(some, folders, listed, strict=True):
            for claim in _claims(names):
                path = _path(folder, claim)
                data = yield from ask(ReadBytes(path))
                if data is not None:
                    found.append(_read(BegunDelete(window, claim), data, path))
    return found


def _read(unknown: BegunDelete, data: bytes, path: str) -> BegunDelete:
    """What a file says; one that is damaged, or of an earlier version, counts, and says nothing."""
    try:
        values = decode_document(data, path)
        run = {name: values["run"][name] for name in RUN}
        return BegunDelete(unknown.window, unknown.claim, str(values["begun_at"]), run)
    except (ArchiveMismatch, KeyError, TypeError):
        return unknown


def _claims(names: Iterable[str]) -> list[int]:
    return sorted(int(name) for name in names if name.isdigit())


def _path(window_folder: str, claim: int) -> str:
    return f"{window_folder}/{DELETES}/{claim:08d}"
