"""Queries that the client has given up on: they must not write after what came later."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Fault, RequestProxy, running_request_proxy
from tests.faults.scenes import NUMBERS, connect
from tests.oracle import rollup, windows
from tests.scenes.rollup_runs import TAGS, Place, interval, make_place, make_points, roll

pytestmark = [pytest.mark.faults, pytest.mark.live]

START, STOP = "2025-03-08", "2025-03-08T06:00"
RULES = {"temp": ("count", "sum", "last"), "packets": ("count", "max")}
ACTIVE = re.compile(r"^qc_executing_active\{.*\} (\S+)$", re.MULTILINE)
FLUX_AT_WORK = re.compile(r"^\d+ @.*(flux/stdlib/|flux/execute\.\(\*)", re.DOTALL)
LONG_SECONDS = 60.0


def read(server: InfluxServer, path: str) -> str:
    """What the server says of itself."""
    with urllib.request.urlopen(f"{server.url}{path}", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def count_queries(server: InfluxServer) -> int:
    """Queries that the server counts as running."""
    return sum(int(float(count)) for count in ACTIVE.findall(read(server, "/metrics")))


def count_workers(server: InfluxServer) -> int:
    """Goroutines that work on queries: some go on, and may write, after their query is counted no more."""
    stacks = read(server, "/debug/pprof/goroutine?debug=1").split("\n\n")
    return sum(int(stack.split(" ", 1)[0]) for stack in stacks if FLUX_AT_WORK.search(stack))


def wait_until(condition: Callable[[], bool], what: str) -> float:
    """Wait; the seconds it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < LONG_SECONDS, f"still waiting: {what}"
    return time.monotonic() - begin


def wait_for_rest(server: InfluxServer) -> float:
    """Wait until no query is at work in any way; the seconds it took."""
    return wait_until(lambda: count_queries(server) + count_workers(server) == 0, "a query is at work")


@pytest.fixture
def proxy(influx: InfluxServer) -> Iterator[RequestProxy]:
    with running_request_proxy(influx.url) as running:
        yield running


@pytest.fixture(scope="module")
def minutes(influx: InfluxServer, client: InfluxClient) -> tuple[Place, pd.DataFrame]:
    """Points for a rollup to minutes that takes the server a while."""
    place = make_place(influx, client)
    points = make_points(START, STOP, 10)
    place.write(points, ("temp", "packets"))
    return place, points


@pytest.fixture
def long_flux(minutes: tuple[Place, pd.DataFrame]) -> str:
    """A query that takes tens of seconds, in many small tables, and that writes at its end."""
    place, _ = minutes
    return f"""from(bucket: "{place.source}") |> range(start: {START}T00:00:00Z, stop: {STOP}:00Z)
        |> window(every: 10s, period: 30m) |> sum() |> group() |> sort() |> to(bucket: "{place.target}")"""


@pytest.mark.parametrize("name", ["execute", "query", "query_arrow"])
def test_server_gives_a_query_up_when_its_read_timeout_passes(
    influx: InfluxServer, minutes: tuple[Place, pd.DataFrame], long_flux: str, name: str
) -> None:
    options = {"read_timeout_seconds": 1.5, "deadline_seconds": 0.0}
    with connect(influx, influx.url, **options) as impatient, ThreadPoolExecutor(1) as pool:
        call = pool.submit(getattr(impatient, name), long_flux)
        wait_until(lambda: count_queries(influx) == 1, "the query has not begun")
        assert not call.done()
        with pytest.raises(InfluxUnavailable, match="Read timed out"):
            call.result()
        wait_for_rest(influx)
    place, _ = minutes
    assert place.count_series_keys() == 0, "it wrote anyway"


def is_computing(request: bytes) -> bool:
    """Whether a query computes windows."""
    return b"aggregateWindow" in request


def cut_first_computing(fault: Fault) -> Callable[[str, bytes], Fault]:
    """Only the first query that computes windows meets the fault."""
    faults = [fault]
    return lambda _kind, request: faults.pop() if faults and is_computing(request) else NO_FAULT


@pytest.mark.parametrize("is_reset", [False, True])
@pytest.mark.parametrize(("compute", "kind"), [("auto", "query"), ("server", "execute")])
def test_old_values_do_not_come_back_when_a_cut_query_was_sent_again(
    influx: InfluxServer,
    client: InfluxClient,
    proxy: RequestProxy,
    minutes: tuple[Place, pd.DataFrame],
    is_reset: bool,
    compute: str,
    kind: str,
) -> None:
    """The source changes while the first try is at work, in values only, so that no count tells."""
    place, points = minutes
    place = replace(place, target=f"target_{next(NUMBERS)}_{place.target}")
    client.ensure_bucket(place.target)
    changed = points.assign(temp=points["temp"] + 1000.0)
    fault = Fault("early", seconds=0.3, is_reset=is_reset, sent=lambda: place.write(changed, ("temp",)))
    proxy.plan(cut_first_computing(fault))
    span = interval(START, STOP)
    with connect(influx, proxy.url) as through:
        roll(through, place.spec("1m", RULES, pipeline=place.target, compute=compute), span)
    wait_for_rest(influx)
    assert proxy.fault_count == 1
    assert proxy.kinds.count(kind) >= 2
    assert ("execute" in proxy.kinds) == (compute == "server")
    expected = rollup(changed, TAGS, windows(START, STOP, "1min"), RULES)
    assert place.differences(expected) == []
    assert set(place.states(place.target).values()) == {"COMMITTED"}
    place.write(points, ("temp",))
