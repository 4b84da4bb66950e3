"""Queries that the client has given up on: they must not write after what came later."""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Fault, RequestProxy, running_request_proxy
from tests.faults.scenes import NUMBERS, connect, quick_retries
from tests.oracle import rollup, windows
from tests.rollup_runs import TAGS, Place, interval, make_place, make_points, roll

pytestmark = [pytest.mark.faults, pytest.mark.live]

START, STOP = "2025-03-08", "2025-03-08T06:00"
RULES = {"temp": ("count", "sum", "last"), "packets": ("count", "max")}
ACTIVE = re.compile(r"^qc_executing_active\{.*\} (\S+)$", re.MULTILINE)
LONG_SECONDS = 60.0


def count_running(server: InfluxServer) -> int:
    """Queries that the server is working on."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:
        return sum(int(float(count)) for count in ACTIVE.findall(answer.read().decode()))


def wait_for_running(server: InfluxServer, count: int) -> float:
    """Wait until the server works on so many queries; the seconds it took."""
    begin = time.monotonic()
    while count_running(server) != count:
        assert time.monotonic() - begin < LONG_SECONDS, "the queries of the server do not change"
    return time.monotonic() - begin


@pytest.fixture
def proxy(influx: InfluxServer) -> Iterator[RequestProxy]:
    with running_request_proxy(influx.url) as running, quick_retries():
        yield running


@pytest.fixture(scope="module")
def minutes(influx: InfluxServer, client: InfluxClient) -> tuple[Place, pd.DataFrame]:
    """Points for a rollup to minutes that takes the server a while."""
    place = make_place(influx, client)
    points = make_points(START, STOP, 10)
    place.write(points, ("temp", "packets"))
    return place, points
