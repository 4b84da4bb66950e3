"""A server that speaks S3, in a process of its own: libraries that hold Python still while they wait would wait forever."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen
from typing import Any, ClassVar
from urllib.request import Request, urlopen

import s3fs

BUCKET = "lake"
# ends with the process that began it
SERVER = """
import sys
from threading import Lock
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer
answer, lock = DomainDispatcherApplication.__call__, Lock()
def answer_one_by_one(app, environ, start):
    # S3 looks and puts at once; this server looks first, and then another writer may put too
    if "HTTP_IF_NONE_MATCH" not in environ:
        return answer(app, environ, start)
    with lock:
        return answer(app, environ, start)
DomainDispatcherApplication.__call__ = answer_one_by_one
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


@dataclass
class S3Server:
    """Where it is, and a way to look into it."""

    url: str
    scheme: ClassVar[str] = "s3"

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
    command = [sys.executable, "-c", SERVER]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        made = S3Server(process.stdout.readline().strip())
        try:
            urlopen(Request(f"{made.url}/{BUCKET}", method="PUT")).close()
            yield made
        finally:
            process.stdin.close()
