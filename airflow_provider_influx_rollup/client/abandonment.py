"""Requests whose answers are no longer awaited: none begins, none is tried again, and those that run end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any
from weakref import ref


class Abandonment(threading.Event):
    """Set when some requests are no longer awaited; their connections are shut, and the server ends what it does for them."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._running: dict[int, ref[socket.socket]] = {}

    def set(self) -> None:
        """End the requests that run."""
        with self._lock:
            super().set()
            for running in self._running.values():
                shut(running())

    def watch(self, connection: Any) -> None:
        """A request has been sent, and waits for its answer.

        :param connection: that it runs on
        """
        # a lock of all requests could be held by another thread when the process forks
        if self is NEVER or connection.sock is None:
            return
        with self._lock:
            self._running[id(connection)] = ref(connection.sock)
            if self.is_set():
                shut(connection.sock)

    def forget(self, connection: Any) -> None:
        """The request has its answer, and the connection may be another's."""
        if self is NEVER:
            return
        with self._lock:
            self._running.pop(id(connection), None)


def shut(opened: socket.socket | None) -> None:
    """Shut a connection down; what waits for it ends with an error.

    :param opened: its socket, if there still is one
    """
    if opened is not None:
        with suppress(OSError):  # it is closed already
            # not its own method: that of TLS takes its state away from a thread that reads
            socket.socket.shutdown(opened, socket.SHUT_RDWR)


NEVER = Abandonment()
_abandoned: ContextVar[Abandonment] = ContextVar("abandoned", default=NEVER)


def abandonment() -> Abandonment:
    """That of the requests which begin here."""
    return _abandoned.get()


@contextmanager
def giving_up_after(abandoned: Abandonment) -> Iterator[None]:
    """In here requests end, none begins, and none is tried again, once an event is set.

    :param abandoned: set when the answers are no longer awaited
    """
    token = _abandoned.set(abandoned)
    try:
        yield
    finally:
        _abandoned.reset(token)
