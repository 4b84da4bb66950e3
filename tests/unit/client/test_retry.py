"""Retries: which errors, how long, how often."""

from __future__ import annotations

import time

import pytest
import tenacity

from airflow_provider_influx_rollup.client.responses import RetryAfter
from airflow_provider_influx_rollup.client.retry import CAP_SECONDS, call_with_retries, wait_seconds
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    ConfigurationError,
    InfluxError,
    InfluxOverloaded,
    InfluxTruncated,
    InfluxUnavailable,
    QueryTooLarge,
    QueryTooSlow,
    WindowNotDue,
)


class Failing:
    """Raises the errors in turn, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.parametrize("error_class", [InfluxUnavailable, InfluxOverloaded, InfluxTruncated])
def test_call_is_repeated_when_the_error_may_pass(error_class: type[InfluxError]) -> None:
    attempt = Failing(error_class("x"), error_class("x"))
    assert call_with_retries(attempt, deadline_seconds=30) == "done"
    assert attempt.calls == 3


@pytest.mark.parametrize(
    "error", [BucketNotFound("x"), ConfigurationError("x"), WindowNotDue("x"), ValueError("x")]
)
def test_call_is_not_repeated_when_the_error_is_permanent_or_not_the_servers(error: Exception) -> None:
    attempt = Failing(error)
    with pytest.raises(type(error)) as caught:
        call_with_retries(attempt, deadline_seconds=30)
    assert caught.value is error
    assert attempt.calls == 1
    assert "tries" not in str(error)


@pytest.mark.parametrize(("error_class", "tries"), [(QueryTooLarge, 3), (QueryTooSlow, 1)])
def test_query_at_a_limit_is_tried_a_few_times_only(error_class: type[InfluxError], tries: int) -> None:
    attempt = Failing(*(error_class("x") for _ in range(10)))
    with pytest.raises(error_class):
        call_with_retries(attempt, deadline_seconds=30)
    assert attempt.calls == tries


def test_last_error_tells_the_tries_when_the_deadline_passes() -> None:
    errors = [InfluxUnavailable(f"refused {number}") for number in range(1000)]
    attempt = Failing(*errors)
    begin = time.monotonic()
    with pytest.raises(InfluxUnavailable, match=r"refused \d+ \(tries: \d+, seconds: ") as caught:
        call_with_retries(attempt, deadline_seconds=0.5)
    # a busy machine may leave the process alone for a while; the thousand tries take minutes
    assert time.monotonic() - begin < 5
    assert caught.value is errors[attempt.calls - 1]
    assert f"tries: {attempt.calls}," in str(caught.value)


def test_no_further_try_is_made_when_the_server_asks_for_more_than_the_deadline() -> None:
    error = InfluxOverloaded("busy")
    error.__cause__ = RetryAfter(3600)
    attempt = Failing(error)
    with pytest.raises(InfluxOverloaded, match="tries: 1"):
        call_with_retries(attempt, deadline_seconds=5)


def state_of(attempt_number: int, error: Exception) -> tenacity.RetryCallState:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt_number
    outcome = tenacity.Future(attempt_number)
    outcome.set_exception(error)
    state.outcome = outcome
    return state


@pytest.mark.parametrize(
    ("attempt_number", "bound"), [(1, 0.4), (2, 0.8), (5, 6.4), (6, CAP_SECONDS), (5000, CAP_SECONDS)]
)
def test_waits_fill_the_whole_span_when_drawn_often(attempt_number: int, bound: float) -> None:
    state = state_of(attempt_number, InfluxUnavailable("x"))
    waits = [wait_seconds(state) for _ in range(500)]
    assert 0 <= min(waits) < bound * 0.1
    assert bound * 0.9 < max(waits) <= bound


def test_wait_is_at_least_what_the_server_asks_for_when_it_does() -> None:
    error = InfluxOverloaded("busy")
    error.__cause__ = RetryAfter(7)
    assert all(7 <= wait_seconds(state_of(1, error)) <= 7.4 for _ in range(100))
