"""A server that speaks Google Cloud Storage: fake-gcs-server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import Request, urlopen

import gcsfs
import pytest

from dev.emulators.places import fake_gcs_server
from tests.servers.emulator import free_port, running_emulator

BUCKET = "lake"
TOKEN = "not-a-real-token"


@dataclass(frozen=True)
class GcsServer:
    """Where it is."""

    url: str
    scheme: ClassVar[str] = "gs"

    @property
    def options(self) -> dict[str, Any]:
        """Of fsspec's file system."""
        return {"endpoint_url": self.url, "token": "anon", "skip_instance_cache": True}

    def files(self) -> Any:
        """A file system of its own, for what the product is compared with."""
        return gcsfs.GCSFileSystem(**self.options)


@contextmanager
def bucket_kind(name: str) -> Iterator[None]:
    """Newer versions of gcsfs ask another service for the kind of a bucket, which no server here speaks."""
    with pytest.MonkeyPatch.context() as patch:
        if hasattr(gcsfs.GCSFileSystem, "_get_bucket_type"):
            from gcsfs.extended_gcsfs import BucketType

            async def answer(*_: object) -> BucketType:
                return BucketType[name]

            patch.setattr(gcsfs.GCSFileSystem, "_get_bucket_type", answer)
        yield


@contextmanager
def running_gcs(folder: Path) -> Iterator[GcsServer]:
    """A server with one empty bucket.

    :param folder: for its log
    """
    port = free_port()
    made = GcsServer(f"http://127.0.0.1:{port}")
    program = fake_gcs_server()
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    command = [str(program), *where, "-external-url", made.url, "-backend", "memory", "-log-level", "warn"]
    with running_emulator(program, command, f"{made.url}/storage/v1/b", folder / "gcs.log"):
        body = json.dumps({"name": BUCKET}).encode()
        request = Request(f"{made.url}/storage/v1/b?project=p", body, {"Content-Type": "application/json"})
        urlopen(request).close()
        with bucket_kind("NON_HIERARCHICAL"):
            yield made
