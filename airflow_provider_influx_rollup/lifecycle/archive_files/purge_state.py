"""Progress of a window's purge: a small document in its folder, written before anything is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_influx_rollup.archive.documents import damaged, decode_document, encode_document
from airflow_provider_influx_rollup.archive.paths import INTENT
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import PutOver, ReadBytes, RemoveFiles
from airflow_provider_influx_rollup.windows.interval import Interval

DELETING, DONE = "deleting", "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeState:
    """The last purge of a window.

    :param generation: of the archive that stands for the deleted points
    :param state: ``"deleting"``: it has begun, and what is left in the bucket may be a part; ``"done"``
    :param purge_id: which purge it is, also in its certificate
    :param certificate: number of the purge's certificate when it is done; before, that of the last one at its begin
    :param proof: what was proven before anything was deleted: most of the certificate
    :param claim: that under which the run wrote it which did so last; 0 of before there were claims
    """

    generation: int
    state: str
    purge_id: str = ""
    certificate: int = 0
    proof: Mapping[str, Any] = field(default_factory=dict)
    claim: int = 0

    def about(self, window: Interval) -> dict[str, Any]:
        """Identity of its certificate."""
        return {
            "purge_id": self.purge_id,
            "window": window.as_json(),
            "archive": {"generation": self.generation},
        }


def read_purge(window_folder: str) -> Steps[PurgeState | None]:
    """The state of the last purge; None when the window was never purged.

    :raises ArchiveMismatch: when the document is damaged
    """
    path = f"{window_folder}/{INTENT}"
    data = yield from ask(ReadBytes(path))
    if data is None:
        return None
    values = decode_document(data, path)
    names = {"generation", "state", "purge_id", "certificate", "proof"}
    if set(values) - {"claim"} != names or values["state"] not in (DELETING, DONE):
        raise damaged(path, "it is no purge's")
    return PurgeState(**values)


def write_purge(window_folder: str, state: PurgeState | None) -> Steps[None]:
    """Remember the state; None forgets that there was a purge."""
    path = f"{window_folder}/{INTENT}"
    if state is None:
        yield from ask(RemoveFiles((path,)))
    else:
        yield from ask(PutOver(path, encode_document(asdict(state))))
