"""Leave a server alone that does not answer: one request at a time asks whether it is back."""

from __future__ import annotations

import logging
import time

from airflow_provider_influx_rollup.client.overload.shared_record import Numbers, SharedRecord

#: requests in a row without an answer, of all tasks together
FAILURES = 5
#: how long the server is left alone the first time; each time twice as long
FIRST_SECONDS = 0.5
MAX_SECONDS = 8.0
#: the next one asks when the one that asks has not come back by then; it may have been killed
PROBE_SECONDS = 6.0

logger = logging.getLogger(__name__)


class Breaker:
    """Counts requests without an answer and holds the others back.

    Michael Nygard, "Release It!", 2007: open after failures in a row, half open for one probe, closed by an answer.

    :param record: what all tasks know of the server
    """

    def __init__(self, record: SharedRecord) -> None:
        self._record = record

    def seconds_to_wait(self) -> float:
        """Seconds until it is worth asking again whether a request may go; 0: it may go now."""
        if self._record.numbers.failures < FAILURES:
            return 0.0
        with self._record.changing() as numbers:
            now = time.monotonic()
            if numbers.open_until > now + MAX_SECONDS:
                # it was written before the machine was started again
                _close(numbers)
            if numbers.failures < FAILURES:
                return 0.0
            if numbers.open_until > now:
                return numbers.open_until - now
            numbers.open_until = now + PROBE_SECONDS
            return 0.0

    def answered(self, sent_at: float) -> None:
        """The server has answered, whatever it said.

        :param sent_at: when the request went; what went before the server fell silent does not tell that it is back
        """
        if not self._record.numbers.failures:
            return
        with self._record.changing() as numbers:
            was_open = numbers.trips > 0
            if was_open and sent_at < numbers.opened_at:
                return
            _close(numbers)
        if was_open:
            logger.info("%s answers again: requests go out as before.", self._record.url)

    def failed(self, sent_at: float) -> None:
        """The server could not be reached, or a proxy says that it is down.

        :param sent_at: when the request went; of those that went together, one decides how long the server is left alone
        """
        with self._record.changing() as numbers:
            numbers.failures += 1
            if numbers.failures < FAILURES:
                return
            is_first = numbers.trips == 0
            if not is_first and sent_at < numbers.opened_at:
                return
            now = time.monotonic()
            seconds = min(MAX_SECONDS, FIRST_SECONDS * 2.0 ** min(numbers.trips, 16))
            if is_first:
                numbers.opened_at = now
            numbers.open_until = now + seconds
            numbers.trips += 1
        if is_first:
            logger.warning(
                "%s has not answered %d requests in a row: one at a time asks whether it is back, the others wait.",
                self._record.url,
                FAILURES,
            )


def _close(numbers: Numbers) -> None:
    numbers.failures, numbers.trips, numbers.open_until = 0, 0, 0.0
