"""A run has looked at the values of others once, and these remove them as stale and commit that, before it looks again."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.flux.ledger_read import SetAsideRecords
from airflow_provider_influx_rollup.steps.influx import Delete
from tests.simulation.actors import Actor, Scenario, make_run
from tests.simulation.influx import nanoseconds
from tests.simulation.invariants import require_untorn
from tests.simulation.pipelines import HOUR_NS, WINDOWS
from tests.simulation.schedule import Play

START = nanoseconds(WINDOWS[0].start)
#: nobody has rolled anything up in it yet
UNTOUCHED = 3


@pytest.mark.parametrize("verb", ["roll up", "reconcile"])
def test_window_is_known_to_be_torn_when_values_come_back_that_went_between_two_looks(verb: str) -> None:
    """The second look finds a new value besides, puts all aside once more, and the run dies before it forgets that."""
    actors = (
        Actor(verb, "other", 0, 0, "looks"),
        Actor("roll up", "hourly", 0, 0, "removes"),
        Actor("roll up", "other", 0, 0, "brings back"),
    )
    played = Play(Scenario("shared", UNTOUCHED, actors))
    world = played.world
    world.put("d", START + 5_000, 7.0)
    for name in ("hourly", "other"):
        run = make_run(world, Actor("roll up", name, 0, 0, "before"), 90)
        run.finish()
        assert run.end == "ok"
    world.remove("d", START, START + HOUR_NS)
    looks, removes, brings_back = played.runs
    while not isinstance(looks.pending, SetAsideRecords):
        played.do("0")
    # a delete of the series that is gone takes these along
    world.put("a", START + 6_000, 8.0)
    removes.finish()
    assert ("hourly", START) in world.committed()
    while not (isinstance(looks.pending, Delete) and looks.pending.measurement == "ghost_survivors"):
        played.do("0")
    played.do("0x")
    brings_back.finish()
    assert (removes.end, brings_back.end) == ("ok", "ok")
    assert require_untorn(world, played.sure()) == []
    assert played.rest() == []
