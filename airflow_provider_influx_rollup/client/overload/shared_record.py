"""What the tasks of one machine know together of one server: a small file that each process maps into its memory."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import logging
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from stat import S_IMODE, S_ISDIR

# a file of another layout has another name
LAYOUT = 1
OWNER_ONLY = 0o700

logger = logging.getLogger(__name__)


class Numbers(ctypes.Structure):
    """What is known of a server; all zero at the beginning. Times are of the monotonic clock, in seconds.

    ``failures``: requests in a row that the server did not answer. ``trips``: how often in a row it was then left alone.
    ``opened_at``: when that began. ``open_until``: no request goes before. ``queries_from``, ``writes_from``: the server has
    asked for no queries and writes before.
    ``most_queries``: at one time; 0: any number. ``refused_at``: when a full queue refused the last one.
    ``finished``: queries since ``most_queries`` was changed.
    """

    failures: int
    trips: int
    opened_at: float
    open_until: float
    queries_from: float
    writes_from: float
    most_queries: float
    refused_at: float
    finished: int
    _fields_ = (
        ("failures", ctypes.c_int64),
        ("trips", ctypes.c_int64),
        ("opened_at", ctypes.c_double),
        ("open_until", ctypes.c_double),
        ("queries_from", ctypes.c_double),
        ("writes_from", ctypes.c_double),
        ("most_queries", ctypes.c_double),
        ("refused_at", ctypes.c_double),
        ("finished", ctypes.c_int64),
    )


class SharedRecord:
    """The numbers of one server, read at the cost of memory and changed under a lock.

    :param url: of the server, for the log
    :param path: of the file, in a folder that exists; None: this process alone knows them
    """

    def __init__(self, url: str, path: Path | None) -> None:
        self.url = url
        self.path = path
        self._lock = threading.Lock()
        if path is None:
            self.numbers = Numbers()
            return
        size = ctypes.sizeof(Numbers)
        with path.open("a+b") as file:
            # written, as a process that writes to the memory of a file without room on the disk is ended by the system
            file.write(bytes(max(size - os.fstat(file.fileno()).st_size, 0)))
            file.flush()
            self.numbers = Numbers.from_buffer(mmap.mmap(file.fileno(), size))

    @contextmanager
    def changing(self) -> Iterator[Numbers]:
        """The numbers, which no other thread or process changes meanwhile; a process that dies lets go of them."""
        with self._lock:
            if self.path is None:
                yield self.numbers
                return
            # each time a handle of its own: a forked child would have the lock of its parent's
            with self.path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield self.numbers


@lru_cache(maxsize=64)
def record_of_server(url: str, proxy: str | None) -> SharedRecord:
    """The record of a server for the tasks of this user on this machine."""
    # of the address no more than a digest: others may list the folder of temporary files
    name = hashlib.sha256(f"{LAYOUT} {url} {proxy}".encode()).hexdigest()[:16]
    try:
        return SharedRecord(url, _folder() / f"{name}.server")
    except OSError as error:
        logger.info("The tasks of this machine do not share what they know of %s: %s.", url, error)
        return SharedRecord(url, None)


def _folder() -> Path:
    """A folder of this user alone.

    :raises PermissionError: when somebody else has made it
    """
    folder = Path(tempfile.gettempdir()) / f"influx-rollup-{os.getuid()}"
    folder.mkdir(mode=OWNER_ONLY, exist_ok=True)
    found = folder.lstat()
    if not S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or S_IMODE(found.st_mode) != OWNER_ONLY:
        message = f"{folder} is not a folder of this user alone"
        raise PermissionError(message)
    return folder
