"""The gate: who waits at it, for how long, and what it learns from."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from airflow_provider_influx_rollup.client.abandonment import Abandonment, giving_up_after
from airflow_provider_influx_rollup.client.overload.breaker import FAILURES
from airflow_provider_influx_rollup.client.overload.gate import Gate
from airflow_provider_influx_rollup.client.overload.shared_record import SharedRecord
from airflow_provider_influx_rollup.client.requests import (
    Request,
    health_request,
    query_request,
    write_request,
)
from airflow_provider_influx_rollup.client.responses import RetryAfter
from airflow_provider_influx_rollup.client.retry import call_with_retries
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import (
    InfluxError,
    InfluxOverloaded,
    InfluxTruncated,
    InfluxUnavailable,
    QueryFailed,
)

QUERY = query_request("org", "from(bucket: 1)")
WRITE = write_request("org", "bucket", b"m f=1", compress=False)


def make_gate(folder: Path, *, deadline_seconds: float = 0.3, closed: threading.Event | None = None) -> Gate:
    settings = ClientSettings(
        url="http://influx:8086", org="org", token=lambda _: "token", deadline_seconds=deadline_seconds
    )
    return Gate(settings, SharedRecord(settings.url, folder / "a.server"), closed or threading.Event())


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return make_gate(tmp_path)


def refused() -> InfluxUnavailable:
    """No server listens there."""
    error = InfluxUnavailable("the query did not get through")
    error.__cause__ = NewConnectionError(None, "refused")  # type: ignore[arg-type] - its connection is not looked at
    return error


def end_with(gate: Gate, error: InfluxError, request: Request = QUERY, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(type(error)), gate.passing(request, has_place=True):
            raise error


def passes(gate: Gate, request: Request = QUERY) -> bool:
    try:
        with gate.passing(request, has_place=True):
            return True
    except (InfluxUnavailable, InfluxOverloaded):
        return False


@pytest.mark.parametrize(
    ("error", "is_down"),
    [
        (refused(), True),
        (InfluxUnavailable("x", http_status=503), True),
        (InfluxUnavailable("x", http_status=500), False),
        (InfluxTruncated("x"), False),
        (QueryFailed("x", http_status=400), False),
    ],
)
def test_server_is_down_when_nothing_answers(gate: Gate, error: InfluxError, is_down: bool) -> None:
    end_with(gate, error, times=FAILURES)
    gate._record.numbers.open_until += 1 if is_down else 0
    assert passes(gate) != is_down


def test_server_that_is_only_slow_is_not_down(gate: Gate) -> None:
    error = InfluxUnavailable("x")
    error.__cause__ = ReadTimeoutError(None, "", "slow")  # type: ignore[arg-type] - its pool is not looked at
    end_with(gate, error, times=FAILURES)
    assert passes(gate)


def test_error_tells_that_the_server_was_not_asked(gate: Gate) -> None:
    end_with(gate, refused(), times=FAILURES)
    gate._record.numbers.open_until += 1
    with pytest.raises(InfluxUnavailable) as caught, gate.passing(WRITE, has_place=False):
        pytest.fail("it went")
    assert "it was not sent, as the server has not answered the last 5 requests" in str(caught.value)
    assert caught.value.written == "nothing by this request"
    assert not caught.value.permanent


def test_health_is_asked_whatever_is_known(gate: Gate) -> None:
    end_with(gate, refused(), times=FAILURES)
    gate._record.numbers.open_until += 1
    assert passes(gate, health_request())


def test_wait_ends_with_the_deadline_of_the_tries(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, deadline_seconds=600)
    end_with(gate, refused(), times=FAILURES)
    gate._record.numbers.open_until += 5

    def attempt() -> None:
        with gate.passing(QUERY, has_place=True):
            pytest.fail("it went")

    begin = time.monotonic()
    with pytest.raises(InfluxUnavailable):
        call_with_retries(attempt, deadline_seconds=0.2)
    assert 0.2 <= time.monotonic() - begin < 5


@pytest.mark.parametrize("kind", ["closed", "abandoned"])
def test_wait_ends_when_the_answer_is_no_longer_awaited(tmp_path: Path, kind: str) -> None:
    closed, abandoned = threading.Event(), Abandonment()
    gate = make_gate(tmp_path, deadline_seconds=600, closed=closed)
    end_with(gate, refused(), times=FAILURES)
    gate._record.numbers.open_until += 5
    threading.Timer(0.1, (closed if kind == "closed" else abandoned).set).start()
    begin = time.monotonic()
    with giving_up_after(abandoned):
        # a client that is closed refuses the request itself
        assert passes(gate) == (kind == "closed")
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize("kind", ["closed", "abandoned"])
def test_server_is_not_down_when_this_end_has_shut_the_connections(tmp_path: Path, kind: str) -> None:
    closed, abandoned = threading.Event(), Abandonment()
    gate = make_gate(tmp_path, closed=closed)
    (closed if kind == "closed" else abandoned).set()
    with giving_up_after(abandoned):
        end_with(gate, refused(), times=FAILURES)
    assert gate._record.numbers.failures == 0


def test_server_is_not_down_when_another_is_that_a_script_writes_to(gate: Gate) -> None:
    told = 'Post "http://far:8086/api/v2/write": dial tcp 10.0.0.1:8086: connect: connection refused'
    end_with(
        gate, InfluxUnavailable(f"the query failed with an error inside the answer: {told}"), times=FAILURES
    )
    assert gate._record.numbers.failures == 0
    assert passes(gate)


@pytest.mark.parametrize(("asked", "others"), [(QUERY, WRITE), (WRITE, QUERY)])
def test_requests_of_a_kind_wait_as_the_server_asks(gate: Gate, asked: Request, others: Request) -> None:
    error = InfluxOverloaded("too many")
    error.__cause__ = RetryAfter(30)
    end_with(gate, error, asked)
    assert passes(gate, others)
    with pytest.raises(InfluxOverloaded) as caught, gate.passing(asked, has_place=False):
        pytest.fail("it went")
    assert "has asked this machine to wait" in str(caught.value)
    cause = caught.value.__cause__
    assert isinstance(cause, RetryAfter)
    assert 29 < cause.seconds <= 30


def test_query_waits_for_a_place_when_the_queue_was_full(gate: Gate) -> None:
    end_with(gate, InfluxOverloaded("queue length exceeded"))
    gate._record.numbers.most_queries = 1
    with gate.passing(QUERY, has_place=True):
        assert not passes(gate)
        assert passes(gate, WRITE)
        with gate.passing(QUERY, has_place=False):
            pass
    assert passes(gate)
