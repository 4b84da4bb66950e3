"""Send requests over pooled connections and receive whole answers or an error of ours."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.client.responses import error_of_answer
from airflow_provider_influx_rollup.client.server_clock import ServerClock
from airflow_provider_influx_rollup.client.settings import USE_URL
from airflow_provider_influx_rollup.client.tally import tally
from airflow_provider_influx_rollup.client.time_limit import TimeLimit
from airflow_provider_influx_rollup.client.tls import error_of_tls, require_readable_authorities
from airflow_provider_influx_rollup.client.tracing import RequestSpan, request_span
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxError,
    InfluxRejected,
    InfluxTruncated,
    InfluxUnavailable,
)

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from airflow_provider_influx_rollup.client.requests import Request
    from airflow_provider_influx_rollup.client.settings import ClientSettings

CHUNK_BYTES = 1 << 18
# an error repeats the lines that it is about, of which a batch may have 5 MB, and ends with the reason
MAX_ERROR_BYTES = 1 << 23
HIDDEN = "***"


class Transport:
    """One pool of connections to one server; safe to use from several threads.

    :param settings: where the server is and how to talk to it
    """

    def __init__(self, settings: ClientSettings) -> None:
        from airflow_provider_influx_rollup.client.connection_pool import connection_pool
        from airflow_provider_influx_rollup.client.open_connections import OpenConnections
        from airflow_provider_influx_rollup.client.overload.gate import Gate
        from airflow_provider_influx_rollup.client.overload.shared_record import record_of_server

        self._settings = settings
        self.clock = ServerClock()
        require_readable_authorities(settings)
        self._connections = OpenConnections()
        self._pool: Any = connection_pool(settings, self._connections)
        self._closed = threading.Event()
        record = record_of_server(settings.url, settings.proxy)
        self._gate = Gate(settings, record, self._closed)
        self._bulk_pool: Any = self._pool
        if settings.url.startswith("http:") and not settings.proxy:
            from airflow_provider_influx_rollup.client.bulk_pool import bulk_pool

            self._bulk_pool = bulk_pool(settings.pool_size, self._connections)

    def close(self) -> None:
        """Close the connections; requests that run, in this thread or in others, end with an error."""
        self._closed.set()
        self._connections.end_all()
        self._bulk_pool.clear()
        self._pool.clear()

    def send(self, request: Request) -> bytes:
        """Send a request and receive its whole answer."""
        return b"".join(self.stream(request))

    def stream(self, request: Request, *, is_bulk: bool = False) -> Generator[bytes, None, None]:
        """Send a request and receive its answer in pieces.

        :param is_bulk: the answer is long, and its first bytes may take time
        :raises InfluxTruncated: when the answer stops in the middle
        :raises QueryTooSlow: when a query runs longer than ``max_query_seconds``
        :raises InfluxError: as the status and the text say; nothing is tried again but a 401 with a fresh token
        """
        with self._gate.passing(request, has_place=not is_bulk):
            yield from self._stream(request, is_bulk=is_bulk)

    def _stream(self, request: Request, *, is_bulk: bool) -> Iterator[bytes]:
        # the time in the gate is not the query's
        limit = TimeLimit(request, self._settings.max_query_seconds)
        with self._open(request, self._bulk_pool if is_bulk else self._pool, limit) as (
            answer,
            token,
            span,
        ):
            if answer.status not in request.expected:
                body = answer.read(MAX_ERROR_BYTES, decode_content=True)
                shown = body.replace(token.encode(), HIDDEN.encode()) if token else body
                raise error_of_answer(request, answer.status, answer.headers, shown)
            if not _tells_its_end(answer):
                what = f"the answer to {request.about} does not tell where it ends"
                raise InfluxTruncated(what, fix="let the proxy use HTTP/1.1 with chunked answers")
            for piece in _pieces(answer):
                limit.require_left()
                span.received += len(piece)
                tally().add(received=len(piece))
                yield piece

    def headers_of(self, request: Request) -> Mapping[str, str]:
        """Send a request and return the headers of its answer, whose body is dropped.

        :raises InfluxError: as ``stream``
        """
        limit = TimeLimit(request, self._settings.max_query_seconds)
        with self._open(request, self._pool, limit) as (answer, _, _span):
            if answer.status not in request.expected:
                raise error_of_answer(request, answer.status, answer.headers, b"")
            answer.drain_conn()
            return dict(answer.headers)

    @contextmanager
    def _open(
        self, request: Request, pool: Any, limit: TimeLimit
    ) -> Iterator[tuple[BaseHTTPResponse, str, RequestSpan]]:
        if self._closed.is_set():
            what = f"{request.about} was not sent: its client is closed"
            raise InfluxRejected(what, written="nothing by this request", fix="make a new client")
        with request_span(request, self._settings.url) as span, self._errors_of(request, limit):
            token = self._token(is_refused=False) if request.needs_token else ""
            answer = self._send(request, token, pool, limit, span)
            try:
                if answer.status == 401 and request.needs_token:
                    fresh = self._token(is_refused=True)
                    if fresh != token:
                        answer.close()
                        token = fresh
                        answer = self._send(request, token, pool, limit, span)
                yield answer, token, span
                answer.release_conn()
            finally:
                # does nothing to a connection that went back to the pool; drops one with unread bytes
                answer.close()

    def _send(
        self, request: Request, token: str, pool: Any, limit: TimeLimit, span: RequestSpan
    ) -> BaseHTTPResponse:
        from urllib3.util import Timeout

        encoding = "gzip" if self._settings.compresses else "identity"
        headers = {"Accept-Encoding": encoding, **request.headers, **span.headers()}
        if token:
            headers["Authorization"] = f"Token {token}"
        tally().add(requests=1, sent=len(request.body or b""))
        sent = self.clock.sent()
        answer: BaseHTTPResponse = pool.urlopen(
            request.method,
            self._settings.url + request.path,
            body=request.body,
            headers=headers,
            timeout=Timeout(
                connect=self._settings.connect_timeout_seconds,
                read=self._settings.read_timeout_seconds,
                total=limit.left,
            ),
            retries=False,
            redirect=False,
            preload_content=False,
            enforce_content_length=True,
        )
        span.answered(answer.status)
        if answer.status in request.expected:
            # an error may be a proxy's own answer
            self.clock.observe(answer.headers, sent)
        return answer

    def _token(self, *, is_refused: bool) -> str:
        token = self._settings.token(is_refused).strip()
        if not token or not token.isascii() or not token.isprintable():
            what = "the InfluxDB token is empty or holds characters that a header cannot carry"
            raise ConfigurationError(what, fix="put a valid API token into the connection")
        return token

    @contextmanager
    def _errors_of(self, request: Request, limit: TimeLimit) -> Iterator[None]:
        """Turn what the way to the server does into errors of ours."""
        from urllib3 import exceptions as urllib3_errors

        try:
            yield
        except urllib3_errors.LocationValueError:
            what = "the InfluxDB URL is not that of a server: its host is not one"
            # the error shows what was taken for a host
            raise ConfigurationError(what, fix=USE_URL) from None
        except (urllib3_errors.HTTPError, OSError) as error:
            limit.require_left()
            raise _error_of_network(request, self._settings.url, error) from error


def _error_of_network(request: Request, url: str, error: Exception) -> InfluxError | ConfigurationError:
    from urllib3 import exceptions as urllib3_errors

    misconfigured = error_of_tls(url, str(error))
    if misconfigured is not None:
        return misconfigured
    if isinstance(error, urllib3_errors.DecodeError):
        return InfluxTruncated(f"the compressed answer to {request.about} is damaged: {error}")
    what = f"{request.about} did not get through to {url}: {_reason(error)}"
    written = (
        "unknown; the same request can be sent again" if request.kind.value in ("write", "delete") else None
    )
    return InfluxUnavailable(
        what, written=written, fix="look at the server and the network, then run it again"
    )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _tells_its_end(answer: BaseHTTPResponse) -> bool:
    """Without a length or chunks, a cut connection looks like an end."""
    headers = answer.headers
    is_chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    return is_chunked or "Content-Length" in headers or answer.status == 204


def _pieces(answer: BaseHTTPResponse) -> Iterator[bytes]:
    if answer.headers.get("Content-Encoding"):
        yield from answer.stream(CHUNK_BYTES, decode_content=True)
        return
    # reads over the borders of HTTP chunks, which are small: far fewer steps than stream()
    while piece := answer.read(CHUNK_BYTES):
        yield piece
