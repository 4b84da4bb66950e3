"""The gate that each request passes: it waits while the server is down, full, or has asked for time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.client.abandonment import abandonment
from airflow_provider_influx_rollup.client.overload.breaker import FAILURES, Breaker
from airflow_provider_influx_rollup.client.overload.places import Places
from airflow_provider_influx_rollup.client.overload.shared_record import SharedRecord
from airflow_provider_influx_rollup.client.requests import Request, RequestKind
from airflow_provider_influx_rollup.client.responses import RetryAfter
from airflow_provider_influx_rollup.client.retry import seconds_left, sleep_unless_abandoned
from airflow_provider_influx_rollup.exceptions import InfluxError, InfluxOverloaded, InfluxUnavailable
from airflow_provider_influx_rollup.rejections import is_other_away, is_queue_full

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.settings import ClientSettings

#: what a proxy says of a server that is down, and InfluxDB while it starts
DOWN = frozenset({502, 503, 504})
#: the others ask again after that, however long one was told to wait
MAX_RETRY_AFTER_SECONDS = 300.0
LOOK_SECONDS = 0.3
NOTHING = "nothing by this request"


class Gate:
    """Admits the requests of all tasks of this machine to one server.

    :param settings: which server, and how long a request may wait
    :param record: what all tasks know of it
    :param closed: set when the client is closed
    """

    def __init__(self, settings: ClientSettings, record: SharedRecord, closed: threading.Event) -> None:
        self._settings = settings
        self._record = record
        self._closed = closed
        self._breaker = Breaker(record)
        self._places = Places(record)

    @contextmanager
    def passing(self, request: Request, *, has_place: bool) -> Iterator[None]:
        """Wait until a request may go, send it in here, and learn from its end.

        :param has_place: whether it is one of the queries at a time; a long one would keep the others out
        :raises InfluxUnavailable: when the server is down for longer than the request may wait
        :raises InfluxOverloaded: when its queue is full, or it has asked for more time, for longer than that
        """
        # who asks how the server is, such as a person who tests a connection, asks the server
        if not request.needs_token:
            yield from self._learning(request)
            return
        until = time.monotonic() + seconds_left(self._settings.deadline_seconds)
        with ExitStack() as held:
            self._wait_for_server(request, until)
            self._wait_as_asked(request, until)
            if has_place and request.kind is RequestKind.QUERY:
                self._wait_for_place(request, until, held)
            yield from self._learning(request)

    def _learning(self, request: Request) -> Iterator[None]:
        sent_at = time.monotonic()
        try:
            yield
        except InfluxError as error:
            # a connection that this end has shut tells nothing of the server
            if not (self._closed.is_set() or abandonment().is_set()):
                self._learn(request, error, sent_at)
            raise
        self._breaker.answered(sent_at)
        if request.kind is RequestKind.QUERY:
            self._places.finished()

    def _learn(self, request: Request, error: InfluxError, sent_at: float) -> None:
        if _is_down(error):
            self._breaker.failed(sent_at)
        else:
            self._breaker.answered(sent_at)
        if is_queue_full(error):
            self._places.refused(sent_at)
        if isinstance(error.__cause__, RetryAfter):
            self._come_back_in(request, error.__cause__.seconds)

    def _come_back_in(self, request: Request, seconds: float) -> None:
        time_then = time.monotonic() + min(seconds, MAX_RETRY_AFTER_SECONDS)
        with self._record.changing() as numbers:
            if request.kind is RequestKind.QUERY:
                numbers.queries_from = time_then
            elif request.kind is RequestKind.WRITE:
                numbers.writes_from = time_then

    def _wait_for_server(self, request: Request, until: float) -> None:
        while (seconds := self._breaker.seconds_to_wait()) and not self._closed.is_set():
            if time.monotonic() >= until:
                what = (
                    f"{request.about} did not get through to {self._settings.url}: it was not sent, as the server has not "
                    f"answered the last {max(FAILURES, self._record.numbers.failures)} requests of this machine"
                )
                fix = "look at the server and the network, then run it again"
                raise InfluxUnavailable(what, written=NOTHING, fix=fix)
            self._wait(min(seconds, LOOK_SECONDS), until)

    def _wait_as_asked(self, request: Request, until: float) -> None:
        # a longer time was written before the machine was started again
        while 0 < (seconds := self._seconds_asked_for(request)) <= MAX_RETRY_AFTER_SECONDS:
            if self._closed.is_set():
                return
            if time.monotonic() + seconds > until:
                what = f"{request.about} was not sent: {self._settings.url} has asked this machine to wait {seconds:.1f} s"
                fix = "run fewer tasks at a time, or raise the server's limit"
                raise InfluxOverloaded(what, written=NOTHING, fix=fix) from RetryAfter(seconds)
            self._wait(min(seconds, LOOK_SECONDS), until)

    def _seconds_asked_for(self, request: Request) -> float:
        numbers = self._record.numbers
        starts = {RequestKind.QUERY: numbers.queries_from, RequestKind.WRITE: numbers.writes_from}
        return starts.get(request.kind, 0.0) - time.monotonic()

    def _wait_for_place(self, request: Request, until: float, held: ExitStack) -> None:
        while not self._places.take(held) and not self._closed.is_set():
            if time.monotonic() >= until:
                what = (
                    f"{request.about} was not sent: the queue of {self._settings.url} was full, and the tasks of this machine "
                    f"run {self._places.count} queries at a time"
                )
                fix = "run fewer tasks at a time, or give the server a longer queue (query-queue-size)"
                raise InfluxOverloaded(what, written=NOTHING, fix=fix)
            self._wait(LOOK_SECONDS, until)

    def _wait(self, seconds: float, until: float) -> None:
        """Wait some of the seconds more or less, so that those who wait do not come together."""
        spread = seconds * random.uniform(0.5, 1.5)  # noqa: S311 -- spreads load, keeps no secret
        sleep_unless_abandoned(max(0.01, min(spread, until - time.monotonic())))


def _is_down(error: InfluxError) -> bool:
    """Whether no server stands behind an error; one that is only slow does not count."""
    from urllib3.exceptions import ReadTimeoutError

    if not isinstance(error, InfluxUnavailable):
        return False
    if error.http_status is not None:
        return error.http_status in DOWN
    if is_other_away(error):
        return False
    return not isinstance(error.__cause__, ReadTimeoutError)
