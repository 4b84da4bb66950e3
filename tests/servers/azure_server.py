"""A server that speaks Azure Blob Storage: Azurite."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import adlfs
from azure.storage.blob import BlobServiceClient

from dev.emulators.build import node
from dev.emulators.places import azurite
from tests.servers.emulator import free_port, running_emulator

BUCKET = "lake"
ACCOUNT = "devstoreaccount1"
# Azurite lets its environment say which keys there are
KEY = base64.b64encode(b"the key of this test run, no other").decode()
WRONG_KEY = base64.b64encode(b"the key of somebody else altogether").decode()


@dataclass(frozen=True)
class AzureServer:
    """Where it is."""

    url: str
    scheme: ClassVar[str] = "abfs"

    def connection_string(self, key: str = KEY) -> str:
        """As Azure's portal gives it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};"
            f"BlobEndpoint={self.url}/{ACCOUNT};"
        )

    @property
    def options(self) -> dict[str, Any]:
        """Of fsspec's file system."""
        return {"connection_string": self.connection_string(), "skip_instance_cache": True}

    def files(self) -> Any:
        """A file system of its own, for what the product is compared with."""
        return adlfs.AzureBlobFileSystem(**self.options)


@contextmanager
def running_azure(folder: Path) -> Iterator[AzureServer]:
    """A server with one empty container.

    :param folder: for its log
    """
    port = free_port()
    made = AzureServer(f"http://127.0.0.1:{port}")
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    how = ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    command = ["env", f"AZURITE_ACCOUNTS={ACCOUNT}:{KEY}", node("node"), str(azurite()), *where, *how]
    with running_emulator(azurite(), command, made.url, folder / "azurite.log"):
        with BlobServiceClient.from_connection_string(made.connection_string()) as service:
            service.create_container(BUCKET)
        yield made
