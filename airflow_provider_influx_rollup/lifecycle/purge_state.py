"""How far the purge of a window is: a small document in its folder, written before anything is deleted."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.documents import damaged, decode_document, encode_document
from airflow_provider_influx_rollup.archive.paths import INTENT
from airflow_provider_influx_rollup.lifecycle.steps import Steps
from airflow_provider_influx_rollup.lifecycle.store_steps import PutOver, ReadBytes

DELETING, DONE = "deleting", "done"


@dataclass(frozen=True, slots=True)
class PurgeState:
    """The last purge of a window.

    :param generation: of the archive that stands for the deleted points
    :param state: ``"deleting"``: it has begun, and what is left in the bucket may be a part; ``"done"``
    """

    generation: int
    state: str


def read_purge(window_folder: str) -> Steps[PurgeState | None]:
    """The state of the last purge; None when the window was never purged.

    :raises ArchiveMismatch: when the document is damaged
    """
    path = f"{window_folder}/{INTENT}"
    data = yield ReadBytes(path)
    if data is None:
        return None
    values = decode_document(data, path)
    if set(values) != {"generation", "state"} or values["state"] not in (DELETING, DONE):
        raise damaged(path, "it is no purge's")
    return PurgeState(int(values["generation"]), values["state"])


def write_purge(window_folder: str, state: PurgeState) -> Steps[None]:
    """Remember the state."""
    values = {"generation": state.generation, "state": state.state}
    yield PutOver(f"{window_folder}/{INTENT}", encode_document(values))
