"""Closing a client ends its requests, whichever thread waits for them and whatever the server does; so does giving one up."""

from __future__ import annotations

import re
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from airflow_provider_influx_rollup.client.abandonment import Abandonment, giving_up_after
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.client.tally import counting
from airflow_provider_influx_rollup.exceptions import InfluxError, InfluxRejected
from tests.conftest import InfluxServer

ACTIVE = re.compile(r"^qc_executing_active\{.*\} (\S+)$", re.MULTILINE)
HALF_AN_ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n#data"


def metrics(server: InfluxServer) -> str:
    """What the server says of itself."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


class SilentServer:
    """Takes requests, answers with a beginning or nothing, and tells when a connection ends."""

    def __init__(self, beginning: bytes) -> None:
        self._beginning = beginning
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.asked = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._hold, args=(taken,), daemon=True).start()

    def _hold(self, taken: socket.socket) -> None:
        with taken:
            taken.recv(1)
            taken.sendall(self._beginning)
            self.asked.release()
            while taken.recv(1 << 16):
                pass
        self.ended.release()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(params=[b"", HALF_AN_ANSWER], ids=["no answer", "half an answer"])
def server(request: pytest.FixtureRequest) -> Iterator[SilentServer]:
    with closing(SilentServer(request.param)) as made:
        yield made


REQUESTS: dict[str, Callable[[InfluxClient], object]] = {
    "query": lambda client: client.query("buckets()"),
    "stream": lambda client: list(client.stream_arrow("buckets()")),
    "write": lambda client: client.write_lines("raw", ["m v=1 1"]),
}


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
def test_requests_of_other_threads_end_when_their_client_is_closed(
    ask: Callable[[InfluxClient], object], server: SilentServer
) -> None:
    settings = ClientSettings(
        url=f"http://127.0.0.1:{server.port}", org="dev", token=lambda _: "t", read_timeout_seconds=600
    )
    client = InfluxClient(settings)
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(ask, client) for _ in range(3)]
        assert all(server.asked.acquire(timeout=10) for _ in running)
        began = time.monotonic()
        client.close()
        for one in running:
            with pytest.raises(InfluxError):
                one.result(timeout=10)
        assert all(server.ended.acquire(timeout=10) for _ in running)
    assert time.monotonic() - began < 30  # and not the 60 s in which requests are tried again


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
def test_only_requests_of_those_who_no_longer_wait_end_when_a_client_is_shared(
    ask: Callable[[InfluxClient], object], server: SilentServer
) -> None:
    settings = ClientSettings(
        url=f"http://127.0.0.1:{server.port}", org="dev", token=lambda _: "t", read_timeout_seconds=600
    )
    gone = Abandonment()

    def ask_in_vain(client: InfluxClient) -> None:
        with giving_up_after(gone):
            ask(client)

    with InfluxClient(settings) as client, ThreadPoolExecutor(2) as threads:
        in_vain, awaited = threads.submit(ask_in_vain, client), threads.submit(ask, client)
        assert all(server.asked.acquire(timeout=10) for _ in range(2))
        gone.set()
        with pytest.raises(InfluxError):
            in_vain.result(timeout=10)
        assert server.ended.acquire(timeout=10)
        assert not server.ended.acquire(timeout=0.3)
        assert not awaited.done()
        client.close()
        with pytest.raises(InfluxError):
            awaited.result(timeout=10)


def test_connection_that_came_back_is_not_shut_by_those_who_had_it_before(
    client: InfluxClient, influx: InfluxServer
) -> None:
    gone = Abandonment()
    with giving_up_after(gone):
        client.query("buckets()")

    def shut_while_the_server_works() -> None:
        until = time.monotonic() + 30
        while not any(float(count) for count in ACTIVE.findall(metrics(influx))) and time.monotonic() < until:
            pass
        gone.set()

    flux = """import "generate"
        generate.from(count: 1500000, fn: (n) => n, start: 2024-01-01T00:00:00Z, stop: 2024-01-02T00:00:00Z) |> sum()"""
    with counting() as counts, ThreadPoolExecutor(1) as threads:
        shutting = threads.submit(shut_while_the_server_works)
        (row,) = client.query(flux)
        assert shutting.done()
    assert row["_value"] == sum(range(1500000))
    assert counts.as_json()["retries"] == 0


def test_request_is_refused_when_its_client_is_closed() -> None:
    client = InfluxClient(ClientSettings(url="http://127.0.0.1:1", org="dev", token=lambda _: "t"))
    client.close()
    with pytest.raises(InfluxRejected, match="its client is closed"):
        client.query("buckets()")
