"""Processes by identity, so that a number that was given to another program is never taken for ours."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path


def identity(pid: int) -> str | None:
    """Give what tells this process from a later one with the same number; None when it does not run."""
    status = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # A zombie has ended; its parent only has not asked yet.
        return None if fields[0] in "ZX" else f"start={fields[19]}"
    listed = subprocess.run(
        ["ps", "-p", str(pid), "-o", "stat=,lstart="], capture_output=True, text=True, check=False
    ).stdout.strip()
    return None if not listed or listed.startswith("Z") else listed.partition(" ")[2].strip()


def end(pid: int, expected: str, patience: float = 20) -> None:
    """End exactly the process with this number and identity; ask first, then kill.

    :param pid: the number
    :param expected: what :func:`identity` gave when it was started
    :param patience: seconds to wait before the kill
    """
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        if identity(pid) != expected:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while identity(pid) == expected and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.02)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on 127.0.0.1 at this port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# below what systems give to outgoing connections (from 32768, or 16000): none takes a port while its server restarts
SERVER_PORTS = range(10_000, 16_000)


def port_becomes_free(port: int, patience: float = 15) -> bool:
    """Say whether a server could listen on 127.0.0.1 at this port, now or within a moment.

    :param patience: seconds to wait for a connection of the server that ended to be over
    """
    deadline = time.monotonic() + patience
    while not port_is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def free_port() -> int:
    """Give a port that nothing listens on at this moment."""
    for port in random.sample(SERVER_PORTS, 100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    message = f"no free port on 127.0.0.1 from {SERVER_PORTS.start} to {SERVER_PORTS.stop}"
    raise OSError(message)
