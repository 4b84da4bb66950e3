"""The sockets that are open to a server, so that closing a client ends the requests that run on them."""

from __future__ import annotations

import socket
from typing import Any
from weakref import ref

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_influx_rollup.client.abandonment import Abandonment, abandonment, shut


class OpenConnections:
    """The sockets of one client's pools.

    A pool forgets a connection while a request runs on it. A signal may strike when nobody but a frame of the interrupted
    code knows the socket, and other threads may wait for answers: their sockets are shut down, and they see an end.
    """

    def __init__(self) -> None:
        # a plain dict: it is read in a signal handler, where waiting for a lock could last forever
        self._sockets: dict[int, ref[socket.socket]] = {}

    def add(self, opened: socket.socket | None) -> None:
        """Remember a socket that was just connected."""
        for number, known in list(self._sockets.items()):
            if known() is None:
                self._sockets.pop(number, None)
        if opened is not None:
            self._sockets[id(opened)] = ref(opened)

    def end_all(self) -> None:
        """Shut every socket down; what waits for it ends with an error."""
        for known in list(self._sockets.values()):
            shut(known())
        self._sockets.clear()

    def pool_classes(self, plain: type[HTTPConnection] = HTTPConnection) -> dict[str, type[Any]]:
        """Pools by scheme whose connections are remembered here.

        :param plain: the connection of plain HTTP
        """
        remember = self.add

        class Plain(_Watched, plain):  # type: ignore[misc, valid-type]
            def connect(self) -> None:
                super().connect()
                remember(self.sock)

        class Secure(_Watched, HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                remember(self.sock)

        class PlainPool(_Forgetting, HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(_Forgetting, HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}


class _Watched:
    """A connection whose request ends when its answer is no longer awaited."""

    watched_by: Abandonment | None = None

    def getresponse(self: Any) -> Any:
        """Wait for the answer to a request that has been sent."""
        self.watched_by = abandonment()
        self.watched_by.watch(self)
        return super().getresponse()  # type: ignore[misc]


class _Forgetting:
    """A pool of such connections: one that has come back may be another's request next."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None and conn.watched_by is not None:
            conn.watched_by.forget(conn)
            conn.watched_by = None
        super()._put_conn(conn)  # type: ignore[misc]
