"""A TCP proxy before the real server that breaks connections as it is told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\nContent-Type: application/json\r\n"
    b"Content-Length: 44\r\n\r\n" + b'{"code":"unavailable","message":"not ready"}'
)


@dataclass(frozen=True)
class Fault:
    """What to do with one connection.

    :param kind: ``"none"``, ``"close"`` or ``"reset"`` after so many bytes of the answer, ``"stall"`` (send no more, keep
        it open), or ``"answer"`` with a canned answer that the server never sees
    """

    kind: str = "none"
    after_bytes: int = 0
    answer: bytes = b""


class FaultProxy:
    """Forwards to the server; the n-th connection meets the n-th fault, later ones meet none."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._lock = threading.Lock()
        self.faults: list[Fault] = []
        self.connection_count = 0
        self.answer_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def plan(self, *faults: Fault) -> None:
        """Set the faults of the next connections and count from 0."""
        with self._lock:
            self.faults = list(faults)
            self.connection_count = 0
            self.answer_bytes = 0

    def close(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        # close() alone does not wake the thread in accept(): the port would stay open
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    fault = self.faults.pop(0) if self.faults else Fault()
                    self.connection_count += 1
                    self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client, fault), daemon=True).start()

    def _serve(self, client: socket.socket, fault: Fault) -> None:
        if fault.kind == "answer":
            with contextlib.suppress(OSError):
                read_request(client)
                client.sendall(fault.answer)
            end(client, is_reset=False)
            return
        server = socket.create_connection(self._target)
        self._sockets.append(server)
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        self._answer(server, client, fault)

    def _answer(self, server: socket.socket, client: socket.socket, fault: Fault) -> None:
        left = fault.after_bytes
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if fault.kind != "none":
                    data, left = data[:left], left - len(data[:left])
                self.answer_bytes += len(data)  # before the client can have it all and ask
                client.sendall(data)
                if fault.kind != "none" and left == 0:
                    break
        server.close()
        if fault.kind != "stall":
            end(client, is_reset=fault.kind == "reset")


def read_request(client: socket.socket) -> None:
    """Read a whole request: closing a socket with unread bytes would reset the answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += client.recv(1 << 16)


def end(client: socket.socket, *, is_reset: bool) -> None:
    """End a connection with a FIN, or with a RST."""
    with contextlib.suppress(OSError):
        if is_reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # the other thread waits in recv() and would keep the socket open after close()
        client.shutdown(socket.SHUT_RD if is_reset else socket.SHUT_RDWR)
    client.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Forward until either side ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


@contextlib.contextmanager
def running_proxy(server_url: str) -> Iterator[FaultProxy]:
    """A proxy that is closed at the end."""
    proxy = FaultProxy(server_url)
    try:
        yield proxy
    finally:
        proxy.close()
