"""Stands before a server: passes requests on, loses answers, or refuses."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


class Relay:
    """What it was asked, and what it does with it.

    :param upstream: URL of the server; none is asked while it refuses
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.url = ""
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.lost = 0
        self._lose_next_write = False
        self._refusal: Answer | None = None

    def lose_next_answer(self) -> None:
        """The server acts on the next request that writes, and nobody hears of it."""
        self._lose_next_write = True

    def refuse(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer all requests with this from now on."""
        self._refusal = (status, list((headers or {}).items()), body)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        """What the caller hears; None: nothing."""
        self.requests.append((method, path, {name.lower(): value for name, value in headers.items()}))
        if self._refusal is not None:
            return self._refusal
        connection = http.client.HTTPConnection(self.upstream.hostname or "", self.upstream.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            with connection.getresponse() as response:
                answer = (response.status, response.getheaders(), response.read())
        finally:
            connection.close()
        if self._lose_next_write and method in ("PUT", "POST"):
            self._lose_next_write = False
            self.lost += 1
            return None
        return answer


Answer = tuple[int, list[tuple[str, str]], bytes]


@contextmanager
def running_relay(upstream: str) -> Iterator[Relay]:
    """A relay on a port of its own.

    :param upstream: URL of the server
    """
    relay = Relay(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            answer = relay.answer(self.command, self.path, headers, body)
            if answer is None:
                self.close_connection = True
                return
            status, answered, data = answer
            self.send_response_only(status)
            for name, value in answered:
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            length = {name.lower(): value for name, value in answered}.get("content-length", "0")
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
            # who is refused may have gone before it has heard all
            with suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else data)

        def log_message(self, *_: object) -> None:
            """Nothing: tests look at the requests."""

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._pass_on)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    relay.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
