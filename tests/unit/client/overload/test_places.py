"""Places for queries: how many there are, and who has them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.overload.places import FIRST_MOST, NO_LIMIT_FROM, Places
from airflow_provider_influx_rollup.client.overload.shared_record import SharedRecord

URL = "http://influx:8086"


@pytest.fixture
def places(record: SharedRecord) -> Places:
    return Places(record)


def refuse(places: Places) -> None:
    """A refusal of a query that went after the one before was refused."""
    places.refused(time.monotonic())


def test_there_are_places_for_all_until_the_queue_was_full(places: Places, record: SharedRecord) -> None:
    places.finished()
    assert places.count is None
    with ExitStack() as held:
        assert all(places.take(held) for _ in range(100))
    refuse(places)
    assert places.count == FIRST_MOST


def test_places_are_halved_by_a_refusal_and_one_more_after_as_many_queries(
    places: Places, record: SharedRecord
) -> None:
    counts = []
    for _ in range(5):
        refuse(places)
        counts.append(places.count)
    assert counts == [8, 4, 2, 1, 1]
    after = []
    for _ in range(10):
        places.finished()
        after.append(places.count)
    assert after == [2, 2, 3, 3, 3, 4, 4, 4, 4, 5]


def test_refusals_of_queries_that_went_together_count_once(places: Places) -> None:
    sent_at = time.monotonic()
    for _ in range(10):
        places.refused(sent_at)
    assert places.count == FIRST_MOST


def test_there_are_places_for_all_again_when_there_are_many(places: Places, record: SharedRecord) -> None:
    refuse(places)
    finished = 0
    while places.count is not None:
        places.finished()
        finished += 1
    assert finished == sum(range(FIRST_MOST, NO_LIMIT_FROM))


def test_place_is_taken_by_one(places: Places, record: SharedRecord) -> None:
    refuse(places)
    record.numbers.most_queries = 2
    assert record.path is not None
    others = Places(SharedRecord(URL, record.path))
    with ExitStack() as first, ExitStack() as rest:
        assert places.take(first)
        assert others.take(rest)
        assert not places.take(rest)
        first.close()
        assert others.take(rest)


def _hold(path: Path, told: Connection) -> None:
    with ExitStack() as held:
        told.send(Places(SharedRecord(URL, path)).take(held))
        signal.pause()


def test_place_is_free_when_its_process_was_killed(places: Places, record: SharedRecord) -> None:
    refuse(places)
    record.numbers.most_queries = 1
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    assert record.path is not None
    process = context.Process(target=_hold, args=(record.path, theirs), daemon=True)
    process.start()
    assert ours.recv()
    with ExitStack() as held:
        assert not places.take(held)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert places.take(held)
