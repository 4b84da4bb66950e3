"""Generations whose files an erasure has removed: their manifests stay, and beside them it is said why."""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.erasure import ErasedFiles
from airflow_provider_influx_rollup.archive.paths import ERASED
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import PutOver, ReadBytes


def read_erased(folder: str) -> Steps[ErasedFiles | None]:
    """Files of a generation that an erasure removed; None when its files should be there.

    :param folder: of the generation
    :raises ArchiveMismatch: when the document is damaged
    """
    path = f"{folder}/{ERASED}"
    data = yield from ask(ReadBytes(path))
    return ErasedFiles.decode(data, path) if data is not None else None


def write_erased(folder: str, erased: ErasedFiles) -> Steps[None]:
    """Say that the files are removed on purpose; always before one is."""
    yield from ask(PutOver(f"{folder}/{ERASED}", erased.encode()))
