"""Many tasks of one machine and a server that is down or full: no storm of requests, and each query is answered in the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from airflow_provider_influx_rollup.client.overload.breaker import MAX_SECONDS
from tests.conftest import InfluxServer
from tests.faults.query_worker import QueryWorker
from tests.faults.request_proxy import NO_FAULT, Fault, RequestProxy, canned, running_request_proxy
from tests.servers.own_server import own_server

pytestmark = [pytest.mark.faults, pytest.mark.live]

WORKERS = 50
HEALTHY_SECONDS, OUTAGE_SECONDS, BACK_SECONDS = 6, 12, 14
DOWN = canned("503 Service Unavailable", '{"message": "upstream is down"}')
WAIT = canned("429 Too Many Requests", '{"message": "too many requests"}', "Retry-After: 4\r\n")
WAIT_SECONDS = 4
# when every worker has asked
FIRST_ASKED = WORKERS + 10
# takes long enough that some of them meet in the server
SLOW_FLUX = """import "generate"
generate.from(count: 20000, fn: (n) => n, start: 2026-01-01T00:00:00Z, stop: 2026-01-02T00:00:00Z)
    |> sum() |> map(fn: (r) => ({r with v: 1}))"""


def begun(server: InfluxServer, url: str, seconds: float, **more: str) -> list[QueryWorker]:
    """Workers that all begin now."""
    workers = [QueryWorker(server, url, **more) for _ in range(WORKERS)]
    for worker in workers:
        worker.arrival()
    for worker in workers:
        worker.ask_until(time.monotonic() + seconds)
    return workers


@pytest.fixture
def proxy(influx: InfluxServer) -> Iterator[RequestProxy]:
    with running_request_proxy(influx.url) as running:
        yield running


def test_server_that_is_down_is_asked_by_one_at_a_time(influx: InfluxServer, proxy: RequestProxy) -> None:
    begin, times = time.monotonic(), []
    down, back = HEALTHY_SECONDS, HEALTHY_SECONDS + OUTAGE_SECONDS

    def decide(_kind: str, _request: bytes) -> Fault:
        times.append(time.monotonic() - begin)
        return Fault("canned", answer=DOWN) if down <= times[-1] < back else NO_FAULT

    workers = begun(influx, proxy.url, back + BACK_SECONDS)
    begin = time.monotonic()
    proxy.plan(decide)
    done = [worker.done() for worker in workers]
    healthy, in_outage = (sum(low <= one < high for one in times) for low, high in ((1, down), (down, back)))
    after = [one for one in times if one >= back]
    assert [one.errors for one in done] == [()] * WORKERS
    # those that were on their way, and then one at a time
    assert in_outage <= WORKERS + 2 * OUTAGE_SECONDS
    assert in_outage / OUTAGE_SECONDS <= 2 * healthy / (down - 1), "requests in a second"
    assert after[0] - back <= MAX_SECONDS * 1.5
    assert len(after) > WORKERS


def test_full_queue_is_met_by_fewer_queries_at_a_time(tmp_path: Path) -> None:
    with own_server(tmp_path, "query-concurrency: 1\nquery-queue-size: 3\n") as server:
        done = [one.done() for one in begun(server, server.url, 20, flux=SLOW_FLUX)]
        refused = refusals(server)
    answered = sum(one.queries for one in done)
    assert [one.errors for one in done] == [()] * WORKERS
    assert refused > 0, "the queue was full at the beginning"
    # all of them at the beginning, and then one now and then
    assert refused <= WORKERS + answered // 3


def test_all_tasks_wait_when_the_server_asked_one_to(influx: InfluxServer, proxy: RequestProxy) -> None:
    times: list[float] = []

    def decide(_kind: str, _request: bytes) -> Fault:
        times.append(time.monotonic())
        return Fault("canned", answer=WAIT) if len(times) == FIRST_ASKED else NO_FAULT

    workers = begun(influx, proxy.url, 18)
    proxy.plan(decide)
    done = [worker.done() for worker in workers]
    assert [one.errors for one in done] == [()] * WORKERS
    asked = times[FIRST_ASKED - 1]
    # those on their way had passed the gate before
    assert sum(asked < one < asked + WAIT_SECONDS - 0.5 for one in times) <= WORKERS
    assert sum(one >= asked + WAIT_SECONDS for one in times) >= WORKERS


def refusals(server: InfluxServer) -> int:
    """How many queries the server has refused because of its queue, by its own count."""
    text = urllib3.request("GET", f"{server.url}/metrics").data.decode()
    counts = [
        line.rsplit(" ", 1)[1]
        for line in text.splitlines()
        if line.startswith("qc_requests_total") and 'result="queue_error"' in line
    ]
    return sum(int(float(count)) for count in counts)
