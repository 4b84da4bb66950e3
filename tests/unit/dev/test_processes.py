"""Processes that are held stand, with all that they have started, before anything else happens."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dev.processes import Processes, wait_until

# starts a process every few milliseconds; each of them writes for a while
BUSY = """
import os, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
written = os.open(sys.argv[1], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
while True:
    if os.fork() == 0:
        for _ in range(50):
            os.write(written, b".")
            time.sleep(0.001)
        os._exit(0)
    time.sleep(0.002)
"""


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    return tmp_path / "written.txt"


def test_nothing_is_written_while_processes_are_held(busy: Path, tmp_path: Path) -> None:
    processes = Processes(tmp_path / "logs")
    processes.start("busy", [sys.executable, "-c", BUSY, str(busy)], {}, tmp_path)
    try:
        wait_until(lambda: busy.exists() and busy.stat().st_size > 0, seconds=9, what="it writes")
        for _ in range(5):
            before = 0

            def note_size() -> bool:
                nonlocal before
                before = busy.stat().st_size
                return True

            with processes.suspended(at=note_size):
                time.sleep(0.05)  # any process that was not held would write in it
                assert busy.stat().st_size == before
            wait_until(lambda size=before: busy.stat().st_size > size, seconds=9, what="it writes on")
    finally:
        processes.stop()
