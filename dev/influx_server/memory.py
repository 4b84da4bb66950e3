"""Hold a server to a memory limit: a query that runs away then ends the server, and not the machine."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from pathlib import Path

from dev.influx_server.errors import ServerError
from dev.influx_server.places import DataDir

CGROUPS = Path("/sys/fs/cgroup")
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
LEAST_BYTES = 256 * 2**20
RELEASE_SECONDS = 5.0


def read_size(text: str) -> int:
    """Read a size such as ``2G`` or ``512M``, in bytes.

    :raises ServerError: when it is none, or too small for a server
    """
    found = re.fullmatch(r"(\d+)([KMG]?)", text.strip(), re.IGNORECASE)
    size = int(found[1]) * UNITS[found[2].upper()] if found else 0
    if size < LEAST_BYTES:
        raise ServerError(f"{text!r} is no memory for a server; give 256M or more, such as 2G")
    return size


def hold(data_dir: DataDir, pid: int, size: int) -> None:
    """Put a process into a control group of its own.

    :raises ServerError: when this system has none that this user may make
    """
    group, limit = _group(data_dir)
    try:
        group.mkdir(exist_ok=True)
        (group / limit).write_text(str(size))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        release(data_dir)
        raise ServerError(
            f"no process can be held to a memory limit here ({error}); "
            "run it as root where control groups may be made, or leave --memory out"
        ) from error


def release(data_dir: DataDir) -> None:
    """Remove the group of a server that has ended."""
    folder = _group(data_dir)[0]
    until = time.monotonic() + RELEASE_SECONDS
    # a process that has ended is in it until the kernel has cleared it away; one that lives keeps it
    while folder.exists() and time.monotonic() < until:
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.05)


def _group(data_dir: DataDir) -> tuple[Path, str]:
    """The folder of the group, and the file of its limit; version 1 has a folder for each kind."""
    name = "influx-rollup-" + hashlib.sha256(str(data_dir.path.resolve()).encode()).hexdigest()[:12]
    if (CGROUPS / "memory").is_dir():
        return CGROUPS / "memory" / name, "memory.limit_in_bytes"
    return CGROUPS / name, "memory.max"
