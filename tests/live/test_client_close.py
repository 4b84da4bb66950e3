"""Closing a client ends its requests, whichever thread waits for them and whatever the server does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import InfluxError, InfluxRejected

HALF_AN_ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n#data"


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


def test_request_is_refused_when_its_client_is_closed() -> None:
    client = InfluxClient(ClientSettings(url="http://127.0.0.1:1", org="dev", token=lambda _: "t"))
    client.close()
    with pytest.raises(InfluxRejected, match="its client is closed"):
        client.query("buckets()")
