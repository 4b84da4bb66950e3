"""Every stage under a thousand faults of connections and of the server: what is committed is right, and what failed says so."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import InfluxServer
from tests.faults.request_proxy import Fault, RequestProxy, running_request_proxy
from tests.faults.scenes import connect, quick_retries
from tests.faults.storm import MORE_FAULTS, Storm
from tests.faults.under_faults import UnderFaults, new_world, require_told
from tests.scenes.interleaving_scene import Verb
from tests.servers.own_server import kill_and_start, own_server

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(3600)]

# a seed that failed: FAULTS_FIRST=<seed> FAULTS_WANTED=1
FIRST = int(os.environ.get("FAULTS_FIRST", "1"))
WANTED = int(os.environ.get("FAULTS_WANTED", "1000"))
KILLS_PER_FAULT = 1 / 80


class DeadlyStorm(Storm):
    """The same, in which InfluxDB dies now and then, at once, at work, or before its answer is passed on; it is started again.

    :param longest: seconds from the first fault of a request to its last try
    """

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, MORE_FAULTS, calm=0.7)
        self.folder = folder
        self.longest = 0.0
        self._began: dict[bytes, float] = {}
        self._killing = threading.Lock()

    def __call__(self, kind: str, request: bytes) -> Fault:
        now = time.monotonic()
        began = self._began.get(request)
        if began is not None:
            self.longest = max(self.longest, now - began)
        fault = super().__call__(kind, request)
        if fault.kind != "none" and self.random.random() < KILLS_PER_FAULT:
            moment = self.random.choice(("before", "sent", "answered"))
            self.counts[f"InfluxDB killed, {moment}"] += 1
            fault = Fault("early" if moment == "sent" else "delay", **{moment: self._kill})
        if fault.kind != "none":
            self._began.setdefault(request, now)
        return fault

    def _kill(self) -> None:
        with self._killing:
            kill_and_start(self.folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("life")


@pytest.fixture(scope="module")
def mortal(folder: Path) -> Iterator[InfluxServer]:
    with own_server(folder) as server:
        yield server


@pytest.fixture
def proxy(mortal: InfluxServer) -> Iterator[RequestProxy]:
    with running_request_proxy(mortal.url) as running, quick_retries():
        yield running


def test_every_stage_is_right_after_a_thousand_faults(
    mortal: InfluxServer, folder: Path, proxy: RequestProxy, tmp_path: Path
) -> None:
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    longest, requests, seed, seconds = 0.0, 0, FIRST, 0.0
    while sum(counts.values()) < WANTED:
        storm = DeadlyStorm(seed, folder / "data")
        deadline = random.Random(seed).choice((0.0, 0.2, 60.0))
        began = time.monotonic()
        failed = live(mortal, proxy, storm, tmp_path / str(seed), seed, deadline)
        seconds += time.monotonic() - began
        counts += storm.counts
        longest, requests, seed = max(longest, storm.longest), requests + proxy.request_count, seed + 1
        failures.update(require_told(verb, seed, [mortal.token]) for verb in failed)
    told = {"faults": counts, "failed verbs": failures, "requests": requests, "longest": round(longest, 2)}
    sys.stdout.write(json.dumps({**told, "worlds": seed - FIRST, "seconds": round(seconds)}, indent=1))


def live(
    server: InfluxServer, proxy: RequestProxy, storm: Storm, base: Path, seed: int, deadline: float
) -> list[Verb]:
    """One world under faults, then at rest; the verbs that failed for a fault."""
    with (
        connect(server, server.url, deadline_seconds=60.0) as direct,
        connect(server, proxy.url, deadline_seconds=deadline) as through,
        new_world(UnderFaults, server, base, direct) as scene,
    ):
        scene.begin(seed)
        scene.schedule.append(f"seed {seed}, deadline {deadline} s:")
        proxy.plan(storm)
        failed = scene.face(through)
        scene.require_rest()
    return failed
