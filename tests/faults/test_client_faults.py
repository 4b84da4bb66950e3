"""Real connections to a real server, broken: never a short result, retries only where they help."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.requests import query_request
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxError,
    InfluxOverloaded,
    InfluxRejected,
    InfluxTruncated,
    InfluxUnavailable,
    WriteRejected,
)
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.faults.proxy import BUSY, Fault, FaultProxy, running_proxy

pytestmark = [pytest.mark.faults, pytest.mark.live]

DAY = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
FLUX = """import "array"
array.from(rows: [{v: 1, s: "a,b"}, {v: 2, s: "c"}]) |> yield(name: "one")
array.from(rows: [{w: 1.5}]) |> yield(name: "two")
"""
ROWS = [
    {"result": "one", "table": 0, "s": "a,b", "v": 1},
    {"result": "one", "table": 0, "s": "c", "v": 2},
    {"result": "two", "table": 0, "w": 1.5},
]
# only the mark of the last HTTP chunk may be missing from an answer that is taken
MAX_WHOLE = 5
OVERLOADED = [
    b'{"code":"invalid","message":"queue length exceeded"}',
    b'{"code":"invalid","message":"memory allocation limit reached: limit 9 bytes, allocated: 8, wanted: 2"}',
]


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture
def proxy(influx: Any) -> Iterator[FaultProxy]:
    with running_proxy(influx.url) as running:
        yield running


@pytest.fixture
def connect(influx: Any, proxy: FaultProxy) -> Iterator[Callable[..., InfluxClient]]:
    clients = []

    def make(**options: Any) -> InfluxClient:
        settings = {"url": proxy.url, "deadline_seconds": 0.0, "gzip": False, **options}
        clients.append(InfluxClient(ClientSettings(org=influx.org, token=lambda _: influx.token, **settings)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def arrow_rows(client: InfluxClient) -> list[dict[str, Any]]:
    # the server sends the yields in any order
    return sorted((row for table in client.query_arrow(FLUX) for row in table.to_pylist()), key=repr)


def rows(client: InfluxClient) -> list[dict[str, Any]]:
    return sorted(client.query(FLUX), key=lambda row: (row["result"], repr(row)))


@pytest.mark.parametrize(
    ("kind", "read", "gzip"),
    [("close", rows, False), ("reset", arrow_rows, False), ("close", arrow_rows, True)],
)
def test_answer_is_whole_or_an_error_when_cut_at_every_byte(
    proxy: FaultProxy, connect: Any, influx: Any, kind: str, read: Any, gzip: bool
) -> None:
    client = connect(gzip=gzip)
    client._transport.send(query_request(influx.org, FLUX))
    size = proxy.answer_bytes
    expected = read(client)
    assert len(expected) == len(ROWS)
    # a whole answer has a quoted text, and the script is parsed on the server before that is asked for again
    whole_connections = 2
    assert (
        count_whole(proxy, client, kind, lambda: read(client) == expected, size, whole_connections)
        <= MAX_WHOLE
    )


def test_execute_is_an_error_when_cut_at_every_byte(proxy: FaultProxy, connect: Any) -> None:
    client = connect()
    client.execute(FLUX)
    assert (
        count_whole(proxy, client, "close", lambda: client.execute(FLUX) is None, proxy.answer_bytes)
        <= MAX_WHOLE
    )


def count_whole(
    proxy: FaultProxy,
    client: InfluxClient,
    kind: str,
    is_whole: Callable[[], bool],
    size: int,
    whole_connections: int = 1,
) -> int:
    """Cut the answer of ``size`` bytes after each number of them; count how often it was taken anyway, always whole."""
    assert size > 200
    whole_count = 0
    for after_bytes in range(size):
        proxy.plan(Fault(kind, after_bytes))
        client._transport._pool.clear()  # only a new connection meets the fault
        try:
            assert is_whole(), after_bytes
            whole_count += 1
            assert proxy.connection_count == whole_connections
        except (InfluxTruncated, InfluxUnavailable):
            assert proxy.connection_count == 1
    return whole_count


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset"),
        Fault("close", 300),
        Fault("reset", 350),
        Fault("answer", answer=BUSY % 0),
        *(Fault("answer", answer=http("400 Bad Request", body)) for body in OVERLOADED),
        Fault("answer", answer=http("429 Too Many Requests", b"", "Retry-After: 0")),
        Fault("answer", answer=http("500 Internal Server Error", b'{"message":"timeout"}')),
        Fault("answer", answer=http("502 Bad Gateway", b"<html>")),
        # no length and no chunks: the end cannot be told from a cut
        Fault("answer", answer=b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n\r\n"),
    ],
)
def test_answer_is_whole_when_the_fault_clears(proxy: FaultProxy, connect: Any, fault: Fault) -> None:
    proxy.plan(fault, fault)
    assert rows(connect(deadline_seconds=20)) == ROWS
    assert proxy.connection_count == 3


def test_write_and_delete_reach_the_server_when_the_fault_clears(
    proxy: FaultProxy, connect: Any, client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    through = connect(deadline_seconds=20)
    proxy.plan(Fault("reset"), Fault("close", 10))
    through.write_lines(bucket, [f"m v={n} {DAY.start_ns + n}" for n in range(5)])
    flux = f'from(bucket: "{bucket}") |> range(start: 0) |> count()'
    assert [row["_value"] for row in client.query(flux)] == [
        5
    ]  # the first write counts once, its repeats do not
    proxy.plan(Fault("reset"))
    through._transport._pool.clear()
    through.delete(bucket, DAY, '_measurement="m"')
    assert client.query(flux) == []


def test_wait_is_as_long_as_asked_when_the_server_says_retry_after(proxy: FaultProxy, connect: Any) -> None:
    proxy.plan(Fault("answer", answer=BUSY % 1))
    begin = time.monotonic()
    assert rows(connect(deadline_seconds=20)) == ROWS
    assert time.monotonic() - begin >= 1
    assert proxy.connection_count == 2


@pytest.mark.parametrize("deadline_seconds", [0.0, 1.0])
def test_deadline_is_kept_when_the_fault_stays(
    proxy: FaultProxy, connect: Any, deadline_seconds: float
) -> None:
    proxy.plan(*[Fault("reset")] * 1000)
    begin = time.monotonic()
    with pytest.raises(InfluxUnavailable, match="tries:"):
        rows(connect(deadline_seconds=deadline_seconds))
    assert time.monotonic() - begin < deadline_seconds + 1
    assert (proxy.connection_count > 1) == (deadline_seconds > 0)


@pytest.mark.parametrize("after_bytes", [0, 250])
def test_stalled_answer_ends_with_an_error_when_the_read_timeout_passes(
    proxy: FaultProxy, connect: Any, after_bytes: int
) -> None:
    """With 0 bytes the request itself never gets an answer: a canned answer of nothing is kept open by the stall."""
    proxy.plan(Fault("stall", after_bytes))
    begin = time.monotonic()
    with pytest.raises(InfluxUnavailable, match="did not get through"):
        rows(connect(read_timeout_seconds=0.5))
    assert 0.4 < time.monotonic() - begin < 5


def test_server_is_unavailable_when_nothing_listens(connect: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for call in (
        lambda c: c.query(FLUX),
        lambda c: c.write_lines("b", ["m v=1"]),
        lambda c: c.find_bucket("b"),
        lambda c: c.health(),
    ):
        with pytest.raises(InfluxUnavailable, match=f"did not get through to http://127.0.0.1:{port}"):
            call(connect(url=f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda c: c.query('from(bucket: "no-such") |> range(start: 0)'), BucketNotFound),
        (lambda c: c.query("nonsense("), InfluxError),
        (lambda c: c.write_lines("no-such", ["m v=1"]), BucketNotFound),
        (lambda c: c.parse_script("x = 1 +"), InfluxError),
    ],
)
def test_one_request_is_sent_when_the_error_is_permanent(
    proxy: FaultProxy, connect: Any, call: Any, expected: type[InfluxError]
) -> None:
    proxy.plan()
    with pytest.raises(expected) as caught:
        # each try would make a connection of its own: a refused one is not used again
        call(connect(deadline_seconds=20))
    assert caught.value.permanent
    assert proxy.connection_count == 1
    assert "tries" not in str(caught.value)


def test_overload_is_the_error_when_it_stays(proxy: FaultProxy, connect: Any) -> None:
    proxy.plan(*[Fault("answer", answer=http("400 Bad Request", OVERLOADED[0]))] * 1000)
    with pytest.raises(InfluxOverloaded, match="queue length exceeded"):
        rows(connect(deadline_seconds=0.5))


@pytest.mark.parametrize(
    "call", [lambda c: c.write_lines("b", ["m v=1"]), lambda c: c.delete("b", DAY, '_measurement="m"')]
)
def test_write_is_not_taken_as_done_when_a_proxy_answers_200(
    proxy: FaultProxy, connect: Any, call: Any
) -> None:
    proxy.plan(Fault("answer", answer=http("200 OK", b"<html>log in</html>")))
    with pytest.raises(InfluxRejected, match="log in"):
        call(connect())


def test_earlier_batches_are_told_when_a_later_one_fails(
    proxy: FaultProxy, connect: Any, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    good = [f"m v={n} {DAY.start_ns + n}" for n in range(10_000)]
    with pytest.raises(WriteRejected) as caught:
        connect().write_lines(bucket, [*good, *good, "m v", "m v=1 1"])
    assert caught.value.written == "20000 lines of earlier batches; of this one: nothing of this batch"


def test_token_is_hidden_when_the_answer_repeats_it(influx: Any, proxy: FaultProxy, connect: Any) -> None:
    answer = http("403 Forbidden", f"you sent Token {influx.token}".encode())
    proxy.plan(Fault("answer", answer=answer))
    with pytest.raises(InfluxError) as caught:
        rows(connect())
    assert influx.token not in str(caught.value)
    assert "you sent Token ***" in str(caught.value)
