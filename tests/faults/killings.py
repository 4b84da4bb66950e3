"""SIGKILL for the processes of a running Airflow and for InfluxDB, at moments that a seed chooses, and their new start."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from dev.airflow_process import AirflowProcess
from dev.processes import Processes
from tests.faults.request_proxy import NO_FAULT, Fault, RequestProxy
from tests.servers.own_server import kill_and_start

KINDS = ("worker", "triggerer", "scheduler", "InfluxDB")
MOMENTS = ("before", "sent", "answered")
FEWEST, MOST = 8, 45
# requests that pass until something is killed though it is not the one that asks
PATIENCE = 25
HELD_SECONDS = 120


def connected(port: int) -> list[psutil.Process]:
    """Other processes that have a connection to a port, by their ids."""
    found = []
    for process in psutil.process_iter():
        try:
            connections: list[Any] = process.net_connections("tcp")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != psutil.Process().pid and any(
            one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
            for one in connections
        ):
            found.append(process)
    return sorted(found, key=lambda one: one.pid)


class Moments:
    """Which kinds of process are killed, and by how many requests after the one before; the request is held until it is done.

    :param seed: decides all of it
    :param count: how many are killed, each kind at least once
    """

    def __init__(self, seed: int, count: int) -> None:
        self.random = random.Random(seed)
        kinds = self.random.sample(KINDS, len(KINDS))
        self.left = [*kinds, *self.random.choices(KINDS, k=count - len(KINDS))]
        self.due, self._done = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self.waited = 0
        self._gap = self.random.randint(FEWEST, MOST)

    def decide(self, _kind: str, _request: bytes) -> Fault:
        """Let a request pass, or hold it before the server has it, while it works, or after it has answered."""
        with self._lock:
            self._gap -= 1
            if self._gap > 0 or not self.left or self.due.is_set():
                return NO_FAULT
            self._done.clear()
            self.due.set()
        return Fault("delay", **{self.random.choice(MOMENTS): self._hold})

    def _hold(self) -> None:
        self._done.wait(HELD_SECONDS)

    def go_on(self, *, is_killed: bool) -> None:
        """Let the request go; when nothing could be killed, the next one is held too."""
        with self._lock:
            self.waited = 0 if is_killed else self.waited + 1
            self._gap = self.random.randint(FEWEST, MOST) if is_killed else 1
            if is_killed:
                self.left.pop(0)
            self.due.clear()
            self._done.set()


@dataclass
class Killings:
    """Kills what is due, and starts what does not run.

    :param commands: of the services that are killed and started again, such as the scheduler
    :param folder: data of InfluxDB
    :param look: called after each, while the request is held
    :param scheduler: name of the service that runs tasks
    """

    airflow: AirflowProcess
    proxy: RequestProxy
    moments: Moments
    commands: Mapping[str, list[str]]
    folder: Path
    look: Callable[[], object]
    scheduler: str = "scheduler"
    killed: list[str] = field(default_factory=list)
    recoveries: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services = Processes(self.airflow.home / "logs" / "mortals")
        # of those since which no task has succeeded: its kind, when, and how many had
        self._since: list[tuple[str, float, int]] = []
        self._orphans: set[psutil.Process] = set()

    def step(self, _: object = None) -> None:
        """Called again and again by the thread that the services live as long as."""
        if self.moments.due.is_set():
            kind = self.moments.left[0]
            done = self._kill(kind)
            if done:
                self.killed.append(done)
                self._since.append((kind, time.monotonic(), self.successes()))
                self.look()
            self.moments.go_on(is_killed=bool(done))
        for name, command in self.commands.items():
            if not self.services.running(name):
                self.services.stop([name])
                self.services.start(name, command, self.airflow.environment, self.airflow.home)
        if self._since and self.successes() > self._since[-1][2]:
            for kind, began, _count in self._since:
                self.recoveries.setdefault(kind, []).append(round(time.monotonic() - began, 1))
            self._since = []

    def successes(self) -> int:
        """Tasks that have ended well."""
        return int(self.airflow.rows("select count(*) from task_instance where state = 'success'")[0][0])

    def counts(self) -> Counter[str]:
        """How many of each kind were killed."""
        return Counter(one.partition(",")[0] for one in self.killed)

    def stop(self) -> None:
        """End the services, and what those that were killed have left."""
        self.services.stop()
        for one in self._orphans:
            if one.is_running():
                one.kill()

    def _kill(self, kind: str) -> str:
        """What was killed; empty when none was at work."""
        kills: dict[str, Callable[[], str]] = {
            "worker": self._kill_worker,
            "triggerer": self._kill_triggerer,
            "scheduler": self._kill_scheduler,
            "InfluxDB": self._kill_influxdb,
        }
        return kills[kind]()

    def _at_work(self) -> list[psutil.Process]:
        return connected(urlsplit(self.proxy.url).port or 0)

    def _triggerers(self) -> set[psutil.Process]:
        return self.services.family("triggerer") if self.services.running("triggerer") else set()

    def _kill_worker(self) -> str:
        found = [one for one in self._at_work() if one not in self._triggerers()]
        if not found:
            return ""
        self.moments.random.choice(found).kill()
        return "worker"

    def _kill_triggerer(self) -> str:
        is_busy = any(one in self._triggerers() for one in self._at_work())
        if not self.services.running("triggerer") or not (is_busy or self.moments.waited > PATIENCE):
            return ""
        self.services.kill("triggerer")
        return "triggerer, busy" if is_busy else "triggerer, idle"

    def _kill_scheduler(self) -> str:
        """With all that it has started, as when the machine is gone, or alone: tasks that run go on."""
        if not self.services.running(self.scheduler):
            return ""
        family = self.services.family(self.scheduler)
        if self.moments.random.random() < 0.5:
            self.services.kill(self.scheduler)
            return "scheduler, with its tasks"
        self._orphans |= family
        self.services.kill(self.scheduler, alone=True)
        return "scheduler, alone"

    def _kill_influxdb(self) -> str:
        kill_and_start(self.folder)
        return "InfluxDB"
