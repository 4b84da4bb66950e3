"""Connections for long answers: the server sends them in thousands of small pieces, and each costs a wake-up."""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

from urllib3 import PoolManager
from urllib3.connection import HTTPConnection

from airflow_provider_influx_rollup.client.open_connections import OpenConnections

if TYPE_CHECKING:
    from socket import socket

BUFFER_BYTES = 1 << 18
# in which a server fills about half of the buffer
PAUSE_SECONDS = 0.001


class _Gathering(io.RawIOBase):
    """A socket that is given the time to gather bytes when it had few: a third of the work for the same answer."""

    def __init__(self, sock: socket) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self._had_many = True

    def readable(self) -> bool:
        """Tell ``io`` that the socket can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come."""
        if not self._had_many:
            time.sleep(PAUSE_SECONDS)
        count: int | None = self._raw.readinto(buffer)  # type: ignore[attr-defined, unused-ignore]
        self._had_many = (count or 0) * 2 > len(buffer)
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Gathering(sock), BUFFER_BYTES)


class _Connection(HTTPConnection):
    response_class = _Response


def bulk_pool(pool_size: int, connections: OpenConnections) -> PoolManager:
    """A pool for answers over plain HTTP without a proxy.

    :param pool_size: connections that are kept open
    :param connections: remember its sockets
    """
    manager = PoolManager(num_pools=1, maxsize=pool_size)
    manager.pool_classes_by_scheme = connections.pool_classes(_Connection)
    return manager
