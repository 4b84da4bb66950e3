"""Run as many queries at a time as the server's queue takes: fewer after a refusal, slowly more after success."""

from __future__ import annotations

import fcntl
import logging
import time
from contextlib import ExitStack

from airflow_provider_influx_rollup.client.overload.shared_record import Numbers, SharedRecord

#: queries at a time after the first refusal
FIRST_MOST = 8
#: from here on their number is not limited any more
NO_LIMIT_FROM = 64

logger = logging.getLogger(__name__)


class Places:
    """Places for queries, of which there are any number until the server's queue has been full.

    The number is halved by a refusal, and one more after as many queries as there are places (additive increase,
    multiplicative decrease: Chiu and Jain, 1989). A place is a locked file, which the kernel unlocks when its process dies.

    :param record: what all tasks know of the server
    """

    def __init__(self, record: SharedRecord) -> None:
        self._record = record

    @property
    def count(self) -> int | None:
        """Queries at a time; None: any number."""
        most = self._record.numbers.most_queries
        # without a file there is nothing to lock: the queries of one process have a pool of connections of their own
        return int(most) if most >= 1 and self._record.path is not None else None

    def take(self, held: ExitStack) -> bool:
        """Take a place, which goes back with what holds it; False when none is free."""
        count = self.count
        return count is None or any(self._lock(number, held) for number in range(count))

    def finished(self) -> None:
        """A query had its place in the server's queue."""
        if not self._record.numbers.most_queries:
            return
        with self._record.changing() as numbers:
            numbers.finished += 1
            if numbers.finished >= numbers.most_queries:
                _change(numbers, numbers.most_queries + 1)

    def refused(self, sent_at: float) -> None:
        """The server's queue was full.

        :param sent_at: when the query went; those that went before a change of the number do not change it once more
        """
        with self._record.changing() as numbers:
            now = time.monotonic()
            if sent_at <= numbers.refused_at <= now:
                return
            numbers.refused_at = now
            is_first = numbers.most_queries == 0
            _change(numbers, FIRST_MOST if is_first else max(1, numbers.most_queries // 2))
            most = int(numbers.most_queries)
        logger.log(
            logging.WARNING if is_first else logging.DEBUG,
            "The queue of %s is full: the tasks of this machine run %d queries at a time, and more as soon as it takes more.",
            self._record.url,
            most,
        )

    def _lock(self, number: int, held: ExitStack) -> bool:
        path = self._record.path
        if path is None:
            return True
        file = path.with_suffix(f".{number}").open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        held.enter_context(file)
        return True


def _change(numbers: Numbers, most: float) -> None:
    numbers.most_queries = 0 if most >= NO_LIMIT_FROM else most
    numbers.finished = 0
