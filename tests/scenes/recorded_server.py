"""What a real InfluxDB answered to a test, and the same answers once more without a server.

Requests are kept as they are sent: the Flux text, the lines, the predicate. Played again, a test must send the same
requests in the same order; another one is an error that shows both.
"""

from __future__ import annotations

import io
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from gzip import decompress
from typing import Any
from urllib.parse import urlsplit

from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import HTTPResponse

#: where a recorded server is; no name server knows it
URL = "http://influx.invalid:8086"
ORG = "dev"
TOKEN = "recorded"
KEPT_HEADERS = ("Content-Type", "Retry-After", "X-Platform-Error-Code")
#: files of an archive name its folder, and so their hashes are others each time
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
AS_SENT = "surrogateescape"
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Exchange:
    """A request, and its answer. Bytes that are not UTF-8 are lone surrogates.

    :param path: with its query string
    :param headers: of the answer, as far as the client reads them
    """

    method: str
    path: str
    body: str
    status: int
    headers: Mapping[str, str]
    answer: str

    @property
    def sent(self) -> Key:
        """What the next request must be."""
        return self.method, self.path, self.body


class Unrecorded(AssertionError):
    """A test sends another request than the one that was recorded."""


@dataclass
class Tape:
    """The exchanges of one test, or of one fixture that many tests share.

    :param name: of the test or the fixture in its module
    :param exchanges: in their order
    """

    name: str
    exchanges: list[Exchange] = field(default_factory=list)
    _hashes: dict[str, str] = field(default_factory=dict)
    _position: int = 0
    _problem: str = ""

    def play(self, sent: Key) -> Exchange:
        """Answer a request.

        :raises Unrecorded: when another one was recorded here
        """
        if self._position >= len(self.exchanges):
            self._differs(f"the recording ends after {self._position} requests, and this was sent:\n{sent}")
        exchange = self.exchanges[self._position]
        if sent != exchange.sent and not self._is_but_for_hashes(sent, exchange.sent):
            self._differs(f"request {self._position} was\n{exchange.sent}\nand is now\n{sent}")
        self._position += 1
        return exchange

    def answer(self, exchange: Exchange) -> str:
        """What a recorded answer says now."""
        if not self._hashes:
            return exchange.answer
        return SHA256.sub(lambda found: self._hashes.get(found[0], found[0]), exchange.answer)

    def require_right(self) -> None:
        """Look whether nothing else was asked than what was recorded.

        :raises Unrecorded: when it was
        """
        if self._problem:
            raise Unrecorded(self._problem)

    def require_end(self) -> None:
        """Look whether all that was recorded was asked.

        :raises Unrecorded: when it was not
        """
        if not self._problem and self._position < len(self.exchanges):
            count = len(self.exchanges) - self._position
            self._differs(
                f"{count} requests were not sent; the first:\n{self.exchanges[self._position].sent}"
            )

    def _is_but_for_hashes(self, sent: Key, recorded: Key) -> bool:
        """Whether a request differs in nothing but hashes of files, each of which stands for one of the recorded ones."""
        if sent[:2] != recorded[:2] or SHA256.sub("", sent[2]) != SHA256.sub("", recorded[2]):
            return False
        pairs = zip(SHA256.findall(recorded[2]), SHA256.findall(sent[2]), strict=True)
        return all(self._hashes.setdefault(old, new) == new for old, new in pairs)

    def _differs(self, how: str) -> None:
        # a verb may take this for an error of the server: the end of the test says it once more
        self._problem = self._problem or f"{self.name}: {how}\nWhen the requests are right: make recordings"
        raise Unrecorded(self._problem)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Stands where requests leave this process: urllib3 for the product, urllib for what tests read themselves.

    :param host: the server's name and port; requests to others go on as they are
    :param is_playing: whether tapes answer; else they are written
    """

    def __init__(self, url: str, *, is_playing: bool) -> None:
        self.host = urlsplit(url).netloc
        # the folders of tests have other names each time
        self._folders: dict[str, str] = {}
        self.is_playing = is_playing
        self.tapes: list[Tape] = []
        self._pooled = HTTPConnectionPool.urlopen
        self._opened = urllib.request.urlopen

    def install(self, setattr_: Callable[[Any, str, Any], None]) -> None:
        """Take the place of both.

        :param setattr_: such as that of pytest's monkeypatch
        """
        wire = self

        def urlopen(pool: HTTPConnectionPool, method: str, url: str, body: Any = None, **more: Any) -> Any:
            if f"{pool.host}:{pool.port}" != wire.host or not wire.has_tape:
                return wire._pooled(pool, method, url, body, **more)
            return wire._urllib3(pool, method, url, body, more)

        setattr_(HTTPConnectionPool, "urlopen", urlopen)
        setattr_(urllib.request, "urlopen", self._urllib)

    def know_folder(self, name: str, path: str) -> None:
        """Keep a folder's name in place of its path.

        :param name: that a test gives it
        """
        self._folders[f"<folder {name}>"] = path

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Requests inside belong to no test."""
        tapes, self.tapes = self.tapes, []
        try:
            yield
        finally:
            self.tapes = tapes

    @property
    def has_tape(self) -> bool:
        """Whether a request belongs to a test."""
        return self.is_playing or bool(self.tapes)

    def _urllib3(self, pool: HTTPConnectionPool, method: str, url: str, body: Any, more: Any) -> HTTPResponse:
        def send() -> _Answer:
            answer = self._pooled(pool, method, url, body, **{**more, "preload_content": True})
            return _Answer(answer.status, _kept_headers(answer.headers), answer.data)

        plain = body or b""
        if (more.get("headers") or {}).get("Content-Encoding") == "gzip":
            plain = decompress(plain)
        exchange, data = self._exchange(method, url, plain, send)
        length = {} if exchange.status == 204 else {"Content-Length": str(len(data))}
        return HTTPResponse(
            io.BytesIO(data),
            headers={**exchange.headers, **length},
            status=exchange.status,
            preload_content=False,
            request_method=method,
        )

    def _urllib(self, request: Any, *arguments: Any, **more: Any) -> AbstractContextManager[Any]:
        if not isinstance(request, urllib.request.Request) or request.host != self.host or not self.has_tape:
            return self._opened(request, *arguments, **more)

        def send() -> _Answer:
            try:
                with self._opened(request, *arguments, **more) as answer:
                    return _Answer(answer.status, _kept_headers(answer.headers), answer.read())
            except urllib.error.HTTPError as error:
                return _Answer(error.code, _kept_headers(error.headers), error.read())

        exchange, data = self._exchange(request.get_method(), request.selector, request.data or b"", send)
        if exchange.status >= 400:
            raise urllib.error.HTTPError(
                request.full_url, exchange.status, "", _message(exchange.headers), io.BytesIO(data)
            )
        return io.BytesIO(data)

    def _exchange(
        self, method: str, path: str, body: bytes, send: Callable[[], _Answer]
    ) -> tuple[Exchange, bytes]:
        if not self.tapes:
            message = f"{method} {path} was sent outside of a recorded test or fixture"
            raise Unrecorded(message)
        tape, sent = self.tapes[-1], (method, path, self._kept(body))
        if self.is_playing:
            exchange = tape.play(sent)
        else:
            answer = send()
            exchange = Exchange(*sent, answer.status, answer.headers, self._kept(answer.body))
            tape.exchanges.append(exchange)
        text = tape.answer(exchange)
        for name, folder in self._folders.items():
            text = text.replace(name, folder)
        return exchange, text.encode(errors=AS_SENT)

    def _kept(self, data: bytes) -> str:
        text = data.decode(errors=AS_SENT)
        for name, folder in self._folders.items():
            text = text.replace(folder, name)
        return text


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in KEPT_HEADERS if name in headers}


def _message(headers: Mapping[str, str]) -> Message:
    message = Message()
    for name, text in headers.items():
        message[name] = text
    return message
