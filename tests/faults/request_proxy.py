"""An HTTP proxy before the real server that counts requests and spoils those it is told to.

Each connection carries one request, so a fault hits exactly the request it is meant for.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.faults.proxy import end

CANNED = (
    "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}"
)
MAX_BYTES = 1 << 16
SLOW_BYTES, SLOW_PIECE = 700, 7


def canned(status: str, body: str, headers: str = "") -> bytes:
    """An answer that the server never sees."""
    return CANNED.format(status, len(body), headers, body).encode()


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    :param kind: ``"request"``: only a part of the request reaches the server; ``"answer"``: the server does it all, only
        a part of its answer comes back; ``"early"``: cut while the server works on it; ``"half open"``: the same, but the
        server does not notice; ``"canned"``: answered by the proxy; ``"delay"``: it takes longer; ``"twice"``: the server
        gets it two times, and the second answer comes back; ``"slow"``: the answer comes a few bytes at a time
    :param part: how much of the request or answer passes, from 0 to below 1
    :param is_reset: end with a RST instead of a FIN
    :param seconds: of ``"early"``, ``"half open"`` and ``"delay"``
    :param before: called when the whole request is here and the server has nothing yet
    :param sent: called ``seconds`` after the server has got it
    :param answered: called when the server has answered and the client has nothing yet
    """

    kind: str = "none"
    part: float = 0.0
    is_reset: bool = False
    seconds: float = 0.0
    answer: bytes = b""
    before: Callable[[], object] = lambda: None
    sent: Callable[[], object] = lambda: None
    answered: Callable[[], object] = lambda: None


NO_FAULT = Fault()
Decide = Callable[[str, bytes], Fault]


@dataclass
class RequestProxy:
    """Forwards requests to the server.

    :param decide: gives the fault of a request, from its kind (``"execute"``, ``"query"``, ``"write"``, ``"delete"``,
        ``"admin"``) and its bytes
    """

    server_url: str
    decide: Decide = lambda _kind, _request: NO_FAULT
    kinds: list[str] = field(default_factory=list)
    fault_count: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def request_count(self) -> int:
        """Requests since ``plan``."""
        return len(self.kinds)

    def plan(self, decide: Decide) -> None:
        """Set what happens next and count from 0."""
        with self._lock:
            self.decide = decide
            self.kinds = []
            self.fault_count = 0

    def close(self) -> None:
        """Refuse connections from now on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        fault = NO_FAULT
        with contextlib.suppress(OSError):
            request = read_request(client)
            if not request:
                client.close()
                return
            fault = self._fault(request)
            fault.before()
            if fault.kind == "twice":
                self._forward(request, client, NO_FAULT)
            answer = fault.answer if fault.kind == "canned" else self._forward(request, client, fault)
            if fault.kind == "slow":
                send_slowly(client, answer)
            elif fault.kind != "early":
                client.sendall(answer)
        end(client, is_reset=fault.is_reset)

    def _fault(self, request: bytes) -> Fault:
        kind = kind_of(request)
        with self._lock:
            fault = self.decide(kind, request)
            self.kinds.append(kind)
            self.fault_count += fault is not NO_FAULT
            return fault

    def _forward(self, request: bytes, client: socket.socket, fault: Fault) -> bytes:
        """Send a request, or a part of it, and receive what is to be passed of the answer."""
        if fault.kind == "delay":
            time.sleep(fault.seconds)
        parts = urlsplit(self.server_url)
        with socket.create_connection((parts.hostname or "", parts.port or 80)) as server:
            if fault.kind == "request":
                server.sendall(request[: int(len(request) * fault.part)])
                end(server, is_reset=fault.is_reset)
                return b""
            server.sendall(request)
            if fault.kind != "half open":
                # handles of its own: a number that was closed may belong to another connection at once
                threading.Thread(target=pass_end_on, args=(client.dup(), server.dup()), daemon=True).start()
            if fault.kind != "delay":
                time.sleep(fault.seconds)
            fault.sent()
            if fault.kind == "early":
                end(server, is_reset=fault.is_reset)
                return b""
            if fault.kind == "half open":
                end(client, is_reset=fault.is_reset)
            answer = b"".join(iter(lambda: server.recv(MAX_BYTES), b""))
        fault.answered()
        return answer[: int(len(answer) * fault.part)] if fault.kind == "answer" else answer


def send_slowly(client: socket.socket, answer: bytes) -> None:
    """A few bytes at a time at first, then the rest."""
    for begin in range(0, SLOW_BYTES, SLOW_PIECE):
        client.sendall(answer[begin : begin + SLOW_PIECE])
        time.sleep(0.0005)
    client.sendall(answer[SLOW_BYTES:])


def pass_end_on(client: socket.socket, server: socket.socket) -> None:
    """Close the server's side as soon as the client has gone, as a plain TCP proxy does."""
    with client, server, contextlib.suppress(OSError):
        with contextlib.suppress(OSError):
            client.recv(1)
        server.shutdown(socket.SHUT_RDWR)


def read_request(client: socket.socket) -> bytes:
    """Read one request, and ask the server to close the connection after its answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(MAX_BYTES)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    length = next(
        (int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        more = client.recv(MAX_BYTES)
        if not more:
            return b""
        body += more
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


def kind_of(request: bytes) -> str:
    """What a request is for."""
    path = request.split(b" ", 2)[1].partition(b"?")[0]
    if path == b"/api/v2/query":
        return "execute" if b"wideTo(" in request or b"|> to(" in request else "query"
    return {b"/api/v2/write": "write", b"/api/v2/delete": "delete"}.get(path, "admin")


@contextlib.contextmanager
def running_request_proxy(server_url: str) -> Iterator[RequestProxy]:
    """A proxy that is closed at the end."""
    proxy = RequestProxy(server_url)
    try:
        yield proxy
    finally:
        proxy.close()
