"""The server of a benchmark: the one in the environment, or one of its own that stays for the next run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from airflow_provider_influx_rollup.client.settings import ClientSettings

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / ".bench"
PORT = "8095"
# what was loaded minutes ago is to be read as what has been there for hours: from files, compacted in full
SETTLES = ["--storage-cache-snapshot-write-cold-duration=5s", "--storage-compact-full-write-cold-duration=5s"]
SETTLE_SECONDS = 120
HEAP = "go_memstats_heap_inuse_bytes"
UNSETTLED = ("storage_cache_inuse_bytes", "storage_compactions_queued")


def settings_of_server() -> ClientSettings:
    """Find or start the server."""
    if "INFLUX_URL" in os.environ:
        return settings_from(os.environ)
    start = [sys.executable, str(ROOT / "dev" / "influx"), "start"]
    command = [*start, "--data-dir", str(OUTPUT / "influx"), "--port", PORT, "--", *SETTLES]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return settings_from(dict(line.split("=", 1) for line in printed.splitlines() if "=" in line))


def settings_from(variables: Mapping[str, str]) -> ClientSettings:
    """Settings of ``INFLUX_URL``, ``INFLUX_ORG`` and ``INFLUX_TOKEN``."""
    token = variables["INFLUX_TOKEN"]
    return ClientSettings(
        url=variables["INFLUX_URL"],
        org=variables["INFLUX_ORG"],
        token=lambda _refresh: token,
        read_timeout_seconds=600,
    )


def wait_until_settled(url: str) -> bool:
    """Wait until the server has no points in memory only, and compacts nothing; whether it came to that in two minutes.

    What was loaded a moment ago is read more slowly, and moves the server's memory. A server that somebody else runs
    may keep points in memory for as long as its settings say.

    :param url: of the server
    """
    ends = time.monotonic() + SETTLE_SECONDS
    is_settled, before = False, -1.0
    while not is_settled and time.monotonic() < ends:
        time.sleep(2)
        totals = _totals(url)
        files = totals["storage_tsm_files_total"]
        # the number of files is the same only when no compaction has ended meanwhile
        is_settled, before = not any(totals[name] for name in UNSETTLED) and files == before, files
    return is_settled


def _totals(url: str) -> dict[str, float]:
    """The server's metrics of its storage, summed over its shards."""
    return _metrics(url, (*UNSETTLED, "storage_tsm_files_total"))


class ServerHeap:
    """How much more heap the server uses while something runs, by its own metrics.

    :param url: of the server
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        # so that what earlier queries left is not taken for what the server needs at rest
        with urllib.request.urlopen(f"{url}/debug/pprof/heap?gc=1", timeout=60) as answer:
            answer.read()
        self._first = self._most = self._read()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        """The most, above what it had before."""
        return (self._most - self._first) / 1e6

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            self._most = max(self._most, self._read())

    def _read(self) -> float:
        return _metrics(self._url, (HEAP,))[HEAP]


def _metrics(url: str, names: Sequence[str]) -> dict[str, float]:
    """Some of the server's metrics, each the sum of its parts."""
    totals = dict.fromkeys(names, 0.0)
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        for line in answer.read().decode().splitlines():
            name = line.partition(" ")[0].partition("{")[0]
            if name in totals:
                totals[name] += float(line.rpartition(" ")[2])
    return totals
