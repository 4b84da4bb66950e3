"""The server's clock out of answers' headers, with machines whose clocks are off, are set, or sleep."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.server_clock import ServerClock

START = datetime(2026, 3, 8, 12, 0, 0, 400_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


class World:
    """A server's time, and a machine whose clock shows another."""

    def __init__(self, skew: timedelta) -> None:
        self.passed = 0.0
        self.skew = skew
        self.clock = ServerClock(lambda: self.server + self.skew, lambda: 5000.0 + self.passed)

    @property
    def server(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def ask(self, there: float = 0.01, back: float = 0.01, **headers: str) -> None:
        """One request; the server looks at its clock between the two ways."""
        sent = self.clock.sent()
        self.passed += there
        told = format_datetime(self.server.replace(microsecond=0), usegmt=True)
        self.passed += back
        self.clock.observe({"Date": told, **headers}, sent)


def test_the_machine_is_believed_when_it_agrees_or_nobody_has_said_otherwise() -> None:
    world = World(timedelta(seconds=3))
    assert not world.clock.is_known
    assert world.clock() == world.server + world.skew
    world.ask()
    assert world.clock.is_known
    assert world.clock() == world.server + world.skew


@pytest.mark.parametrize("hours", [-2, 2, 24 * 400])
def test_the_server_is_believed_when_the_machine_is_far_off(
    hours: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(hours * HOUR)
    world.ask()
    with caplog.at_level(logging.WARNING):
        assert abs(world.clock() - world.server) <= timedelta(seconds=1)
        world.clock()
    (record,) = caplog.records
    assert ("behind" if hours < 0 else "ahead of") in record.getMessage()
    assert "2:00:00" in record.getMessage() or hours > 2


def test_the_server_is_followed_when_a_clock_is_set_or_the_machine_sleeps() -> None:
    world = World(timedelta())
    world.ask()
    world.skew = -5 * HOUR
    world.passed += 7200
    assert abs(world.clock() - world.server) <= timedelta(seconds=1)


def test_what_was_known_is_forgotten_when_the_server_contradicts_it() -> None:
    world = World(HOUR)
    world.ask()
    sent = world.clock.sent()
    later = world.server + 3 * HOUR
    world.clock.observe({"Date": format_datetime(later.replace(microsecond=0), usegmt=True)}, sent)
    assert abs(world.clock() - later) <= timedelta(seconds=1)


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": ""}])
def test_an_answer_says_nothing_when_it_has_no_date(headers: dict[str, str]) -> None:
    world = World(HOUR)
    world.clock.observe(headers, world.clock.sent())
    assert not world.clock.is_known


def test_an_answer_says_nothing_when_a_cache_gave_it() -> None:
    world = World(HOUR)
    world.ask(Age="1700")
    assert not world.clock.is_known


@given(
    st.integers(-100_000, 100_000),
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20), st.floats(0, 900)), min_size=1, max_size=8),
)
def test_the_time_is_never_further_off_than_headers_and_ways_explain(
    skew: int, requests: list[tuple[float, float, float]]
) -> None:
    world = World(timedelta(seconds=skew))
    for there, back, pause in requests:
        world.ask(there, back)
        world.passed += pause
    shortest = min(there + back for there, back, _ in requests)
    # a machine inside of what cannot be told apart is believed, and 5 s more
    assert abs(world.clock() - world.server) <= timedelta(seconds=6.01 + shortest)
