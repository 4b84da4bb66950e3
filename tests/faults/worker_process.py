"""A worker process that begins when it may, and can be killed at any moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

# a server process that has imported what the workers need forks them, which then start at once
PROCESSES = get_context("forkserver")
PRELOADED = [
    "tests.faults.archive_worker",
    "tests.faults.query_worker",
    "tests.faults.rollup_worker",
    "airflow_provider_influx_rollup.archive.annotated_arrow",
    "airflow_provider_influx_rollup.client.connection_pool",
]


class WorkerProcess:
    """A process, and a gate before what it does.

    :param target: what it does; takes the arguments, and then its end of the gate
    """

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        PROCESSES.set_forkserver_preload(PRELOADED)
        self._gate, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=target, args=(*args, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        """Kill it with SIGKILL, from any thread."""
        if self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGKILL)

    def wait(self) -> int | None:
        """Wait until it ends; the exit status, -9 when it was killed."""
        self._process.join(60)
        return self._process.exitcode

    def arrival(self) -> str | None:
        """Wait until it is at the gate, and get what it says there; None when it has ended."""
        try:
            said: str = self._gate.recv()
        except EOFError:
            return None
        return said

    def go_on(self) -> None:
        """Let it through the gate."""
        self._gate.send(None)
