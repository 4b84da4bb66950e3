"""A server with little memory and a short queue, which others crowd: every stage is tried again, or fails and says so, and is right in the end."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from airflow_provider_influx_rollup.exceptions import InfluxOverloaded, InfluxRollupError
from tests.conftest import InfluxServer
from tests.faults.test_overload import SLOW_FLUX, refusals
from tests.faults.under_faults import Cured, live_once, require_told
from tests.servers.own_server import own_server

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(900)]

# a seed that failed: CROWD_FIRST=<seed> CROWD_WORLDS=1
FIRST = int(os.environ.get("CROWD_FIRST", "1"))
WORLDS = int(os.environ.get("CROWD_WORLDS", "6"))
LIMITS = "query-concurrency: 1\nquery-queue-size: 1\nquery-memory-bytes: 1000000\nquery-max-memory-bytes: 1000000\n"
OTHERS = 4


class Crowd:
    """Others who ask the server slow queries, one after the other, while they are let in."""

    def __init__(self, server: InfluxServer) -> None:
        self._server = server
        self._let_in, self._leave = threading.Event(), threading.Event()
        self._inside = threading.Semaphore(OTHERS)
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(OTHERS)]
        for one in self.threads:
            one.start()

    def come(self) -> None:
        """Let them in."""
        self._let_in.set()

    def go(self) -> None:
        """Keep them out, and wait until none is inside."""
        self._let_in.clear()
        for _ in range(OTHERS):
            self._inside.acquire()
        self._inside.release(OTHERS)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Nobody is inside, for who must not be refused."""
        was_in = self._let_in.is_set()
        self.go()
        yield
        if was_in:
            self.come()

    def end(self) -> None:
        """Send them home."""
        self._leave.set()
        self._let_in.set()
        for one in self.threads:
            one.join()

    def _ask(self) -> None:
        headers = {"Authorization": f"Token {self._server.token}", "Content-Type": "application/vnd.flux"}
        url = f"{self._server.url}/api/v2/query?org={self._server.org}"
        while self._let_in.wait() and not self._leave.is_set():
            with self._inside:
                if self._let_in.is_set():
                    urllib3.request("POST", url, headers=headers, body=SLOW_FLUX.encode(), timeout=60)


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[tuple[InfluxServer, Crowd]]:
    with own_server(tmp_path, LIMITS, memory="2G") as server:
        made = Crowd(server)
        yield server, made
        made.end()


def test_every_stage_is_right_after_others_have_crowded_the_server(
    crowd: tuple[InfluxServer, Crowd], tmp_path: Path
) -> None:
    server, others = crowd
    names: Counter[str] = Counter()
    met: list[InfluxRollupError] = []

    class Crowded(Cured):
        """A world that is looked at while nobody else asks."""

        def require_marked(self) -> None:
            with others.outside():
                super().require_marked()

    for seed in range(FIRST, FIRST + WORLDS):
        deadline = (0.05, 0.5, 30.0)[seed % 3]
        failed = live_once(
            Crowded, server, tmp_path, seed, happens=others.come, cure=others.go, deadline_seconds=deadline
        )
        names.update(require_told(verb, seed, [server.token]) for verb in failed)
        met += [one.error for one in failed if isinstance(one.error, InfluxOverloaded)]
    refused = refusals(server)
    sys.stdout.write(json.dumps({"worlds": WORLDS, "failed verbs": names, "refused queries": refused}))
    assert refused > 0
    assert met
    for error in met:
        assert not error.permanent
        assert "run fewer queries at a time" in str(error)
