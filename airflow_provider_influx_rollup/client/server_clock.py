"""The server's clock, read from its answers: workers' clocks may be hours off, and retention follows the server's."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

log = logging.getLogger(__name__)

# a header has whole seconds; what is closer than this is NTP's business
TOLERANCE = timedelta(seconds=5)
SECOND = timedelta(seconds=1)


def steady_seconds() -> float:
    """Seconds of a clock that is never set; they advance while the machine sleeps, where the system has such a clock."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


def machine_now() -> datetime:
    """The time by this machine, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Between which times the server's clock stood when the steady clock stood at 0."""

    low: datetime
    high: datetime

    @property
    def middle(self) -> datetime:
        return self.low + (self.high - self.low) / 2


class ServerClock:
    """The time now: this machine's while it agrees with the server's, else the server's. Safe to use from several threads.

    Each answer says when the server made it, to the second, and that was between the request and the answer; what several
    answers have in common is closer. An answer that contradicts them (the server's clock was set) begins again.

    :param machine: the machine's own clock; None: ``machine_now``
    :param steady: seconds that only go up; None: ``steady_seconds``
    """

    def __init__(
        self, machine: Callable[[], datetime] | None = None, steady: Callable[[], float] | None = None
    ) -> None:
        self._machine = machine or machine_now
        self._steady = steady or steady_seconds
        self._bounds: _Bounds | None = None
        self._lock = threading.Lock()
        self._has_warned = False

    @property
    def is_known(self) -> bool:
        """Whether the server has told its time."""
        return self._bounds is not None

    def sent(self) -> float:
        """The moment of a request, for ``observe``."""
        return self._steady()

    def observe(self, headers: Mapping[str, str], sent: float) -> None:
        """Take the time from an answer that has just come.

        :param headers: of the answer; without a ``Date``, or from a cache, they say nothing
        :param sent: what ``sent`` gave before the request
        """
        received = self._steady()
        told = _date(headers)
        if told is None:
            return
        seen = _Bounds(told - timedelta(seconds=received), told + SECOND - timedelta(seconds=sent))
        with self._lock:
            known = self._bounds
            if known is not None and seen.low <= known.high and known.low <= seen.high:
                seen = _Bounds(max(known.low, seen.low), min(known.high, seen.high))
            self._bounds = seen

    def after_asking(self, ask: Callable[[], object]) -> datetime:
        """The time now; when the server has told its time in no answer yet, one is asked for.

        :param ask: sends a request
        :raises InfluxError: when the server cannot be asked
        """
        if not self.is_known:
            ask()
        return self()

    def __call__(self) -> datetime:
        """The time now, aware UTC."""
        machine, bounds = self._machine(), self._bounds
        if bounds is None:
            return machine
        passed = timedelta(seconds=self._steady())
        if bounds.low + passed - TOLERANCE <= machine <= bounds.high + passed + TOLERANCE:
            return machine
        server = bounds.middle + passed
        self._warn(machine - server)
        return server

    def _warn(self, difference: timedelta) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        side = "ahead of" if difference > timedelta() else "behind"
        amount = timedelta(seconds=round(abs(difference).total_seconds()))
        log.warning(
            "This machine's clock is %s %s the server's: the server's is used. Let both take their time from NTP.",
            amount,
            side,
        )


def _date(headers: Mapping[str, str]) -> datetime | None:
    """The server's time; None when the answer has none, or a cache repeats an older one."""
    text = headers.get("Date")
    if not text or headers.get("Age", "0") != "0":
        return None
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
