"""How much a stage has asked of InfluxDB: requests, tries again, bytes, memory of queries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of one stage; its threads count together.

    :param retries: requests that were tried again after an error
    :param bytes_sent: of request bodies, as they went over the wire
    :param bytes_received: of answers, decompressed
    :param query_memory_bytes: most that one query took, by Flux's profiler; 0 when that is off
    """

    requests: int = 0
    retries: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    query_memory_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, *, requests: int = 0, retries: int = 0, sent: int = 0, received: int = 0) -> None:
        """Count more."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.bytes_sent += sent
            self.bytes_received += received

    def took_memory(self, most_bytes: int) -> None:
        """Remember what a query took, if it is the most so far."""
        with self._lock:
            self.query_memory_bytes = max(self.query_memory_bytes, most_bytes)

    def as_json(self) -> dict[str, int]:
        """The counts by their names in metrics."""
        return {
            "requests": self.requests,
            "retries": self.retries,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "query_memory_bytes": self.query_memory_bytes,
        }


_counted: ContextVar[Tally | None] = ContextVar("influx_rollup_tally", default=None)


def tally() -> Tally:
    """The counts of the stage that this thread works for; of none, counts that nobody reads."""
    return _counted.get() or Tally()


@contextmanager
def counting() -> Iterator[Tally]:
    """In here, and in the threads that work for it, requests are counted."""
    before = _counted.get()
    counts = Tally()
    _counted.set(counts)
    try:
        yield counts
    finally:
        _counted.set(before)
