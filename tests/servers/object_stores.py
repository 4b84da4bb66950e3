"""A server of each kind of object store, and stores on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from tests.servers.azure_server import AzureServer, running_azure
from tests.servers.gcs_server import GcsServer, running_gcs
from tests.servers.s3_server import S3Server, running_s3

Server = S3Server | GcsServer | AzureServer


@contextmanager
def running_server(kind: str, folder: Path) -> Iterator[Server]:
    """A server with one empty bucket.

    :param kind: ``"s3"``, ``"gcs"`` or ``"azure"``
    :param folder: for its log
    """
    starts: dict[str, Callable[[], Any]] = {
        "s3": running_s3,
        "gcs": lambda: running_gcs(folder),
        "azure": lambda: running_azure(folder),
    }
    with starts[kind]() as running:
        yield running


def store_of(server: Server, folder: str, **more: Any) -> ArchiveStore:
    """A store of its own, as of another process.

    :param folder: with the bucket
    :param more: options of the file system
    """
    return ArchiveStore.of_url(f"{server.scheme}://{folder}", **{**server.options, **more})


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """What each says, all begun in the same moment."""
    said: list[Any] = []
    ready = threading.Barrier(len(acts))

    def one(act: Callable[[], Any]) -> None:
        ready.wait()
        said.append(act())

    threads = [threading.Thread(target=one, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said
