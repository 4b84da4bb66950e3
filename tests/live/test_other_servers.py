"""A URL that leads to another server than InfluxDB 2 is told as such, by its answers on a real connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import InfluxRejected, InfluxUnauthorized, QueryFailed

pytestmark = pytest.mark.live

Answers = dict[str, tuple[int, dict[str, str], bytes]]
CORE = {"X-Influxdb-Version": "3.11.2", "X-Influxdb-Build": "Core"}


@contextmanager
def server(answers: Answers, token: str | None = None) -> Iterator[str]:
    """Answers each path as told, others with 404; with a token only those who have it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            status, headers, body = answers.get(self.path, (404, {}, b"not found"))
            if token is not None and self.headers["Authorization"] != f"Token {token}":
                status, headers, body = 401, {}, b"the request was not authenticated"
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - the standard library's names

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_address[1]}"
    finally:
        served.shutdown()
        served.server_close()
        thread.join()


def connected(url: str) -> InfluxClient:
    return InfluxClient(ClientSettings(url=url, org="o", token=lambda _: "secret-token", deadline_seconds=1))


V3: Answers = {"/health": (200, {}, b"OK"), "/ping": (200, CORE, b'{"version":"3.11.2"}')}
V1: Answers = {"/health": (200, {}, b'{"name":"influxdb","status":"pass","version":"1.8.10"}')}


@pytest.mark.parametrize(
    ("answers", "token", "name"),
    [
        (V3, None, "InfluxDB 3.11.2 Core"),
        (V3, "secret-token", "InfluxDB 3.11.2 Core"),
        (V1, None, "InfluxDB 1.8.10"),
    ],
)
def test_other_version_is_named(answers: Answers, token: str | None, name: str) -> None:
    with server(answers, token) as url, connected(url) as client, pytest.raises(InfluxRejected) as caught:
        client.health()
    assert f"this is {name}, not InfluxDB 2" in str(caught.value)
    assert "which InfluxDB 3 does not have" in str(caught.value)


def test_query_where_there_is_no_flux_says_so() -> None:
    with server(V3) as url, connected(url) as client, pytest.raises(QueryFailed, match="takes no Flux"):
        client.query("buckets()")


@pytest.mark.parametrize(
    ("answers", "token", "error", "words"),
    [
        ({"/health": (200, {}, b"<html>")}, None, InfluxRejected, "is not InfluxDB's"),
        ({"/health": (200, {}, b"<html>"), "/ping": (204, {"X-Influxdb-Version": "v2.9.1"}, b"")}, None,
         InfluxRejected, "is not InfluxDB's"),
        (V3, "another", InfluxUnauthorized, "401"),
    ],
)  # fmt: skip
def test_error_of_the_health_check_stays_where_nothing_names_another_version(
    answers: Answers, token: str | None, error: type[Exception], words: str
) -> None:
    with server(answers, token) as url, connected(url) as client, pytest.raises(error, match=words):
        client.health()


def test_health_of_influxdb_2_is_as_before(client: InfluxClient) -> None:
    health = client.health()
    assert (health.name, health.status) == ("influxdb", "pass")
    assert health.version.removeprefix("v").startswith("2.")
