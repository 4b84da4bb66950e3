"""All orders of two runs; and that none is left out that could end otherwise."""

from __future__ import annotations

from random import Random

import pytest

from tests.simulation.actors import Scenario, from_json
from tests.simulation.every_order import Explorer, Moment, Orders, end_of
from tests.simulation.pairs import pair, told
from tests.simulation.schedule import play
from tests.simulation.state_keys import key_of_world

WRITER = pair("shared", 3, ["roll up"], changes=["new a"])
NEIGHBOURS = pair("shared", 3, ["roll up", "roll up"])


def explored(scenario: Scenario, deaths: int = 0, *, is_reduced: bool = True) -> Orders:
    found = Explorer(scenario, deaths=deaths, death_of=[0], is_reduced=is_reduced, seconds=600).explore()
    assert found.cut == 0
    return found


def test_nothing_is_wrong_in_any_order_of_two_pipelines_in_the_same_points() -> None:
    found = explored(NEIGHBOURS)
    assert found.failures == []
    assert found.orders > 1_000_000
    assert found.moments < 1_000
    assert random_ends(NEIGHBOURS, 10) <= found.ends


@pytest.mark.parametrize(
    ("scenario", "deaths", "fewer"),
    [
        (WRITER, 0, 1000),
        # one that dies leaves what it has written until then, though nobody else goes on
        (pair("archived", 1, ["archive"]), 1, 10),
        # and so does one that has written nothing, and could only have ended well
        (pair("archived", 13, ["purge"]), 1, 10),
        pytest.param(WRITER, 1, 1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
        pytest.param(
            pair("plain", 1, ["roll up"]), 1, 1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)]
        ),
    ],
    ids=["writer", "archive dies", "purge dies", "beside a writer dies", "rollup dies"],
)
def test_no_end_is_missing_when_unnoticed_steps_are_done_at_once(
    scenario: Scenario, deaths: int, fewer: int
) -> None:
    reduced, every = explored(scenario, deaths), explored(scenario, deaths, is_reduced=False)
    assert reduced.ends == every.ends
    assert len(reduced.ends) > 2
    assert reduced.orders < every.orders / fewer


def test_orders_are_counted_at_least_when_some_are_cut() -> None:
    """A moment that was not gone on from is one order."""
    assert "CUT" not in told(explored(WRITER))
    assert told(Explorer(NEIGHBOURS, seconds=0.1).explore()).startswith("at least ")


def test_no_end_is_missing_when_orders_meet() -> None:
    """Each order is played by itself, from its beginning to its end."""
    found, single = explored(WRITER), single_orders(WRITER, [])
    assert (set(single), len(single)) == (found.ends, found.orders)
    assert found.moments < len(single)


def single_orders(scenario: Scenario, choices: list[str]) -> list[bytes]:
    """The end of each order that begins with some choices."""
    moment = Moment(scenario)
    moment.go_on()
    for choice in choices:
        moment.do(choice)
        moment.go_on()
    following = moment.choices()
    if not following:
        return [end_of(moment)]
    return [end for one in following for end in single_orders(scenario, [*choices, one])]


def test_moments_differ_by_what_a_run_was_told_alone() -> None:
    """The world is the same when a point came before it was read, or after it."""
    keys, worlds = set(), set()
    for order in ("0 1 1", "1 1 0"):
        moment = Moment(WRITER, is_reduced=False)
        while "FieldTotals" not in str(moment.play.runs[0].pending):
            moment.do("0")
        for move in order.split():
            moment.do(f"{move}.1" if move == "0" else move)
        keys.add(moment.key())
        worlds.add(key_of_world(moment.play.world))
    assert (len(keys), len(worlds)) == (2, 1)


def random_ends(scenario: Scenario, count: int) -> set[bytes]:
    """What is left after some random orders."""
    ends = set()
    for seed in range(count):
        random, moment = Random(seed), Moment(scenario, is_reduced=False)
        while choices := moment.choices():
            moment.do(random.choice(choices))
        ends.add(end_of(moment))
    return ends


def test_failure_is_found_and_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = pair("plain", 1, ["roll up", "roll up"])
    # these import all that reads the name, which is changed where it is written only
    Moment(scenario).go_on()
    monkeypatch.setattr("airflow_provider_influx_rollup.ledger.codec.CLAIMED_BY", "nobody_reads_this")
    found = Explorer(scenario).explore()
    ((moves, problems),) = found.failures
    assert problems
    again, same = from_json(scenario.as_json(moves))
    assert play(again, same) == problems
