"""The breaker: what its tasks know together, how long it holds them back, and that one of them asks."""

from __future__ import annotations

import logging
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.overload.breaker import (
    FAILURES,
    FIRST_SECONDS,
    MAX_SECONDS,
    PROBE_SECONDS,
    Breaker,
)
from airflow_provider_influx_rollup.client.overload.shared_record import SharedRecord

URL = "http://influx:8086"


@pytest.fixture
def breaker(record: SharedRecord) -> Breaker:
    return Breaker(record)


def fail(breaker: Breaker, times: int = FAILURES) -> None:
    for _ in range(times):
        breaker.failed(time.monotonic())


def test_requests_go_until_enough_in_a_row_had_no_answer(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    assert breaker.seconds_to_wait() == 0
    breaker.answered(time.monotonic())
    fail(breaker, FAILURES - 1)
    assert breaker.seconds_to_wait() == 0
    fail(breaker, 1)
    assert 0 < breaker.seconds_to_wait() <= FIRST_SECONDS


def test_other_tasks_are_held_back_too(record: SharedRecord, breaker: Breaker) -> None:
    fail(breaker)
    assert record.path is not None
    assert Breaker(SharedRecord(URL, record.path)).seconds_to_wait() > 0
    assert Breaker(SharedRecord(URL, record.path.with_name("b.server"))).seconds_to_wait() == 0


def test_server_is_left_alone_twice_as_long_each_time(record: SharedRecord, breaker: Breaker) -> None:
    fail(breaker)
    waits = []
    for _ in range(6):
        waits.append(breaker.seconds_to_wait())
        record.numbers.open_until = 0.0
        assert breaker.seconds_to_wait() == 0, "one asks"
        fail(breaker, 1)
    assert waits == pytest.approx([0.5, 1, 2, 4, 8, MAX_SECONDS], abs=0.1)


def test_all_go_on_when_the_server_answers_again(
    record: SharedRecord, breaker: Breaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fail(breaker, FAILURES + 1)
    breaker.answered(time.monotonic())
    assert [breaker.seconds_to_wait() for _ in range(3)] == [0, 0, 0]
    assert (record.numbers.failures, record.numbers.trips) == (0, 0)
    assert [entry.message.split(": ")[0] for entry in caplog.records] == [
        f"{URL} has not answered {FAILURES} requests in a row",
        f"{URL} answers again",
    ]


def test_what_went_before_the_server_fell_silent_changes_nothing(
    record: SharedRecord, breaker: Breaker
) -> None:
    before = time.monotonic()
    fail(breaker)
    breaker.answered(before)
    breaker.failed(before)
    assert 0 < breaker.seconds_to_wait() <= FIRST_SECONDS
    assert record.numbers.trips == 1


def test_another_one_asks_when_the_one_that_asks_does_not_come_back(
    record: SharedRecord, breaker: Breaker
) -> None:
    fail(breaker)
    record.numbers.open_until = time.monotonic() - 0.1
    assert breaker.seconds_to_wait() == 0
    assert PROBE_SECONDS - 1 < breaker.seconds_to_wait() <= PROBE_SECONDS
    record.numbers.open_until -= PROBE_SECONDS
    assert breaker.seconds_to_wait() == 0


def test_time_of_before_a_restart_of_the_machine_holds_nobody_back(
    record: SharedRecord, breaker: Breaker
) -> None:
    fail(breaker)
    record.numbers.open_until = time.monotonic() + 86_400
    assert breaker.seconds_to_wait() == 0
    assert record.numbers.failures == 0


def _ask(path: Path, times: int) -> int:
    breaker = Breaker(SharedRecord(URL, path))
    return sum(breaker.seconds_to_wait() == 0 for _ in range(times))


def test_one_of_all_processes_asks(record: SharedRecord, breaker: Breaker) -> None:
    fail(breaker)
    record.numbers.open_until = time.monotonic() - 0.1
    assert record.path is not None
    with get_context("spawn").Pool(4) as pool:
        begin = time.monotonic()
        went = pool.starmap(_ask, [(record.path, 500)] * 8)
        others = (time.monotonic() - begin) // PROBE_SECONDS
    assert 1 <= sum(went) <= 1 + others


def _fail(path: Path, times: int) -> None:
    fail(Breaker(SharedRecord(URL, path)), times)


def test_no_failure_of_any_process_is_forgotten(record: SharedRecord) -> None:
    assert record.path is not None
    with get_context("spawn").Pool(4) as pool:
        pool.starmap(_fail, [(record.path, 200)] * 8)
    assert record.numbers.failures == 1600
