"""The sockets that are open to a server, so that closing a client ends the requests that run on them."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any
from weakref import ref

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


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
            opened = known()
            if opened is not None:
                with suppress(OSError):  # it is closed already
                    # not its own method: that of TLS takes its state away from a thread that reads
                    socket.socket.shutdown(opened, socket.SHUT_RDWR)
        self._sockets.clear()

    def pool_classes(self, plain: type[HTTPConnection] = HTTPConnection) -> dict[str, type[Any]]:
        """Pools by scheme whose connections are remembered here.

        :param plain: the connection of plain HTTP
        """
        remember = self.add

        class Plain(plain):  # type: ignore[misc, valid-type]
            def connect(self) -> None:
                super().connect()
                remember(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                remember(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}
