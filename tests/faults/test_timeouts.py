"""Slow answers and answers that never come: each timeout is the one that was set."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from airflow_provider_influx_rollup.exceptions import InfluxUnavailable
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Decide, Fault, RequestProxy, running_request_proxy
from tests.faults.scenes import connect, quick_retries

pytestmark = [pytest.mark.faults, pytest.mark.live]

FLUX = 'import "array" array.from(rows: [{v: 1}])'
SLOW = Fault("delay", seconds=1.0)


@pytest.fixture
def proxy(influx: InfluxServer) -> Iterator[RequestProxy]:
    with running_request_proxy(influx.url) as running, quick_retries():
        yield running


def slow_for(tries: int) -> Decide:
    """The first so many tries are slow."""
    faults = [SLOW] * tries
    return lambda _kind, _request: faults.pop() if faults else NO_FAULT


@pytest.mark.parametrize("name", ["query", "query_arrow", "execute"])
def test_slow_answer_is_waited_for_when_it_takes_longer_than_connecting_may(
    influx: InfluxServer, proxy: RequestProxy, name: str
) -> None:
    proxy.plan(slow_for(1))
    with connect(influx, proxy.url, connect_timeout_seconds=0.2, read_timeout_seconds=30) as client:
        begin = time.monotonic()
        getattr(client, name)(FLUX)
        assert time.monotonic() - begin >= SLOW.seconds
    assert proxy.request_count == 1


def test_query_is_sent_again_when_the_read_timeout_passes(influx: InfluxServer, proxy: RequestProxy) -> None:
    proxy.plan(slow_for(2))
    with connect(influx, proxy.url, connect_timeout_seconds=30, read_timeout_seconds=0.4) as client:
        assert client.query(FLUX) == [{"result": "_result", "table": 0, "v": 1}]
    assert proxy.request_count == 3


@pytest.mark.parametrize(("deadline_seconds", "fewest", "most"), [(0.0, 1, 1), (1.0, 2, 4)])
def test_server_is_unavailable_when_the_read_timeout_passes_until_the_deadline(
    influx: InfluxServer, proxy: RequestProxy, deadline_seconds: float, fewest: int, most: int
) -> None:
    proxy.plan(slow_for(100))
    options = {
        "connect_timeout_seconds": 30,
        "read_timeout_seconds": 0.4,
        "deadline_seconds": deadline_seconds,
    }
    with connect(influx, proxy.url, **options) as client:
        begin = time.monotonic()
        with pytest.raises(InfluxUnavailable, match=r"did not get through .*Read timed out") as caught:
            client.query(FLUX)
        assert 0.4 <= time.monotonic() - begin < deadline_seconds + 5
    assert not caught.value.permanent
    assert fewest <= proxy.request_count <= most
