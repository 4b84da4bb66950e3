"""Measure each way in a process that does nothing else, so that its memory is its own."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from dev.bench.server import settings_from

Ways = Mapping[str, Any]
Prepare = Callable[[InfluxClient], AbstractContextManager[Callable[[], object]]]


@dataclass(frozen=True)
class Measured:
    """Medians of one way, and the most memory that its process had."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def measure(settings: ClientSettings, module: str, ways: Ways) -> dict[str, Measured]:
    """Run ``python -m module way`` for each way, one after the other."""
    place = {"INFLUX_URL": settings.url, "INFLUX_ORG": settings.org, "INFLUX_TOKEN": settings.token(False)}
    found = {}
    for way in ways:
        done = subprocess.run(
            [sys.executable, "-m", module, way],
            env=os.environ | place,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found[way] = Measured(**json.loads(done.stdout))
    return found


def run_way(run: Callable[[InfluxClient], None], rounds: int) -> None:
    """Run one way in this process and print what it took as JSON."""
    run_prepared(lambda client: nullcontext(lambda: run(client)), rounds)


def run_prepared(prepare: Prepare, rounds: int) -> None:
    """Run one way in this process, after a preparation in each round that is not measured.

    :param prepare: gives what is measured
    """
    seconds, cpu = [], []
    with InfluxClient(settings_from(os.environ)) as client:
        for _ in range(rounds):
            with prepare(client) as run:
                began, cpu_began = time.perf_counter(), time.process_time()
                run()
                seconds.append(time.perf_counter() - began)
                cpu.append(time.process_time() - cpu_began)
    measured = Measured(statistics.median(seconds), statistics.median(cpu), most_megabytes())
    print(json.dumps(vars(measured)))


def most_megabytes() -> float:
    """The most memory this process had; getrusage also counts what its parent had before."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
