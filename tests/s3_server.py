"""A server that speaks S3, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import s3fs
from moto.server import ThreadedMotoServer

BUCKET = "lake"


@dataclass
class S3Server:
    """Where it is, and a way to look into it."""

    url: str

    @property
    def options(self) -> dict[str, Any]:
        """Of fsspec's file system."""
        return {
            "key": "somebody",
            "secret": "anything",
            "client_kwargs": {"endpoint_url": self.url, "region_name": "us-east-1"},
            # or files of an earlier server of the same test run come from a cache
            "skip_instance_cache": True,
        }

    def files(self) -> s3fs.S3FileSystem:
        """A file system of its own, for what the product is compared with."""
        return s3fs.S3FileSystem(**self.options)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """In here keys must be known, and none is."""
        self._set_free_requests(b"0")
        try:
            yield
        finally:
            self._set_free_requests(b"inf")

    def _set_free_requests(self, count: bytes) -> None:
        request = Request(
            f"{self.url}/moto-api/reset-auth", count, {"Content-Type": "text/plain"}, method="POST"
        )
        urlopen(request).close()


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server with one empty bucket."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        made = S3Server(f"http://{host}:{port}")
        urlopen(Request(f"{made.url}/moto-api/reset", b"", method="POST")).close()
        urlopen(Request(f"{made.url}/{BUCKET}", method="PUT")).close()
        yield made
    finally:
        server.stop()
