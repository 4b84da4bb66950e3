"""Try again what may succeed later, with full jitter under one deadline."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import NoReturn, TypeVar

import tenacity
from tenacity.stop import stop_base

from airflow_provider_influx_rollup.client.abandonment import Abandonment, abandonment
from airflow_provider_influx_rollup.client.responses import RetryAfter
from airflow_provider_influx_rollup.client.tally import tally
from airflow_provider_influx_rollup.exceptions import (
    InfluxError,
    InfluxUnavailable,
    QueryLimitReached,
    QueryTooLarge,
)

Result = TypeVar("Result")

BASE_SECONDS = 0.2
CAP_SECONDS = 10.0
# others may have had the memory; after that, callers ask for less
MAX_TRIES_TOO_LARGE = 3

logger = logging.getLogger(__name__)

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def call_with_retries(attempt: Callable[[], Result], *, deadline_seconds: float) -> Result:
    """Call until it succeeds, fails for good, or the deadline would pass before the next try.

    :param attempt: must be safe to repeat
    :param deadline_seconds: no try starts later than this after the first; a running try is not cut short
    :raises InfluxError: of the last try; its message says how many tries there were
    :raises QueryLimitReached: after three tries when memory is lacking, after one that took too long: ask for less
    :raises InfluxUnavailable: when the answer is no longer awaited, see ``giving_up_after``
    """
    abandoned = abandonment()
    _require_awaited(abandoned)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        wait=wait_seconds,
        stop=tenacity.stop_any(
            tenacity.stop_before_delay(deadline_seconds),
            tenacity.stop_when_event_set(abandoned),
            _AtALimit(),
        ),
        sleep=tenacity.sleep_using_event(abandoned),
        before_sleep=_log_wait,
        retry_error_callback=_give_up,
    )
    before = _deadline.set(time.monotonic() + deadline_seconds)
    try:
        return retrying(attempt)
    finally:
        _deadline.reset(before)


def seconds_left(otherwise: float) -> float:
    """Seconds until the deadline of the tries that this thread is in, 0 or more.

    :param otherwise: when it is in none
    """
    deadline = _deadline.get()
    return otherwise if deadline is None else max(0.0, deadline - time.monotonic())


def sleep_unless_abandoned(seconds: float) -> None:
    """Sleep, as long as the answer is awaited.

    :raises InfluxUnavailable: when it no longer is, see ``giving_up_after``
    """
    abandoned = abandonment()
    abandoned.wait(seconds)
    _require_awaited(abandoned)


def _require_awaited(abandoned: Abandonment) -> None:
    if abandoned.is_set():
        what = "the request was not sent: the task that it was for was cancelled"
        raise InfluxUnavailable(what, written="nothing by this request", fix="run the task again")


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    return isinstance(error, InfluxError) and not error.permanent


def wait_seconds(state: tenacity.RetryCallState) -> float:
    """Full jitter: anything from 0 to a bound that doubles; but as long as the server asks for.

    Callers that failed together must not come back together.
    """
    bound = min(CAP_SECONDS, BASE_SECONDS * 2 ** min(state.attempt_number, 16))
    jitter = random.uniform(0, bound)  # noqa: S311 -- spreads load, keeps no secret
    cause = _error(state).__cause__
    return cause.seconds + jitter if isinstance(cause, RetryAfter) else jitter


class _AtALimit(stop_base):
    """The end of tries that would only meet the query's limit again."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = _error(retry_state)
        if isinstance(error, QueryTooLarge):
            return retry_state.attempt_number >= MAX_TRIES_TOO_LARGE
        return isinstance(error, QueryLimitReached)


def _error(state: tenacity.RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome is not None else None
    if error is None:
        message = "a call that succeeded is not retried"
        raise TypeError(message)
    return error


def _log_wait(state: tenacity.RetryCallState) -> None:
    tally().add(retries=1)
    logger.warning(
        "Try %d: %s Next try in %.1f s.", state.attempt_number, _error(state), state.upcoming_sleep
    )


def _give_up(state: tenacity.RetryCallState) -> NoReturn:
    error = _error(state)
    if isinstance(error, InfluxError):
        error.what = (
            f"{error.what} (tries: {state.attempt_number}, seconds: {state.seconds_since_start or 0:.1f})"
        )
    raise error
