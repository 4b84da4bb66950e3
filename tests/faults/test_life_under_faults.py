"""Every stage under a thousand faults of connections and of the server: what is committed is right, and what failed says so."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.faults.request_proxy import Fault, RequestProxy, running_request_proxy
from tests.faults.scenes import connect, quick_retries
from tests.faults.storm import MORE_FAULTS, Storm
from tests.oracle import query
from tests.scenes.archive_scene import make_archive_scene
from tests.scenes.interleaving_scene import WINDOWS, Interleaving, Verb, aggregates, facts_in
from tests.scenes.purge_scene import ALWAYS, Fact, as_facts
from tests.servers.own_server import kill_and_start, own_server

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(3600)]

# a seed that failed: FAULTS_FIRST=<seed> FAULTS_WANTED=1
FIRST = int(os.environ.get("FAULTS_FIRST", "1"))
WANTED = int(os.environ.get("FAULTS_WANTED", "1000"))
KILLS_PER_FAULT = 1 / 80
TRIES = 3


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


class UnderFaults(Interleaving):
    """The same, whose verbs come to InfluxDB through a proxy; points, and what must be true, do not.

    :param through: the client of the verbs
    """

    def face(self, through: InfluxClient) -> list[Verb]:
        """Play with faults, then run again what died or failed for the moment; the verbs that failed."""
        direct, self.direct = self.client, self.client
        self.client = through
        died = self.play_rounds()
        failed = [verb for verb in self.ended if verb.error is not None]
        self.client = direct
        self.require_untorn()
        for verb in [*died, *(one for one in failed if one.error and not one.error.permanent)]:
            self._run_again(verb)
        return failed

    def _run_again(self, verb: Verb) -> None:
        """As Airflow does: until it is done, or says that it need not be tried again."""
        for _ in range(TRIES):
            self.run_alone(verb.name, verb.make, may_fail=True)
            self.require_untorn()
            again = self.ended[-1]
            if again.error is None or again.error.permanent:
                return

    def add(self, *points: Any) -> None:
        through, self.client = self.client, getattr(self, "direct", self.client)
        super().add(*points)
        self.client = through

    def require_untorn(self) -> None:
        """A COMMITTED window has the rows of all points that had come by some moment."""
        self.require_marked()
        for spec in (self.hourly, self.most):
            rows = self.rows(spec.target_measurement or self.measurement)
            for window in self.committed(spec.pipeline or ""):
                found = {key: value for key, value in rows.items() if key[0] == window.start_ns}
                came: list[Fact] = sorted_as_written(self, window)
                wanted = [aggregates(set(came[:count]), spec, window) for count in range(len(came) + 1)]
                assert found in wanted, f"{window} of {spec.pipeline} is torn: {found}, none of {wanted}"

    def committed(self, pipeline: str) -> list[Any]:
        """Windows that the ledger says are COMMITTED, and that no other run has claimed since."""
        flux = f"""from(bucket: "{self.ledger}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "window_receipt"
            and r.pipeline == "{pipeline}" and r._field =~ /^(state|claimed_by|committed_by)$/)"""
        fields: dict[int, dict[str, str]] = defaultdict(dict)
        for row in query(self.server.url, self.server.org, self.server.token, flux):
            fields[pd.Timestamp(row["_time"]).value][row["_field"]] = row["_value"]
        return [
            window
            for window in WINDOWS
            if (known := fields[window.start_ns]).get("state") == "COMMITTED"
            and known.get("claimed_by") == known.get("committed_by")
        ]


def sorted_as_written(scene: Interleaving, window: Any) -> list[Fact]:
    """The points of a window in the order in which they were written, as facts."""
    return [fact for one in scene.points for fact in facts_in(as_facts([one]), window)]


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
        for verb in failed:
            assert verb.error is not None
            failures[type(verb.error).__name__] += 1
            assert mortal.token not in str(verb.error)
            assert verb.error.fix, f"seed {seed}: {verb.name} says not what to do: {verb.error}"
            # one that could not have written anything is told so by the driver
            assert verb.error.written or not verb.may_have_written, f"seed {seed}: {verb.name}: {verb.error}"
    told = {"faults": counts, "failed verbs": failures, "requests": requests, "longest": round(longest, 2)}
    sys.stdout.write(json.dumps({**told, "worlds": seed - FIRST, "seconds": round(seconds)}, indent=1))


def live(
    server: InfluxServer, proxy: RequestProxy, storm: Storm, base: Path, seed: int, deadline: float
) -> list[Verb]:
    """One world under faults, then at rest; the verbs that failed for a fault."""
    address = InfluxAddress(server.url, server.org, server.token)
    with (
        connect(server, server.url, deadline_seconds=60.0) as direct,
        connect(server, proxy.url, deadline_seconds=deadline) as through,
        address.buckets_made_meanwhile_deleted(),
    ):
        made = make_archive_scene(server, direct, base)
        scene = UnderFaults(
            server, direct, made.base, made.bucket, made.ledger, rolled=f"{made.bucket}_rolled"
        )
        direct.ensure_bucket(scene.rolled)
        try:
            scene.begin(seed)
            proxy.plan(storm)
            failed = scene.face(through)
            scene.require_rest()
        except BaseException as error:
            error.add_note("\n".join([f"seed {seed}, deadline {deadline} s:", *scene.schedule]))
            raise
    return failed
