"""Three pipelines in the same points: one has put values of the others aside, and these remove them meanwhile."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.steps.influx import Delete
from tests.simulation.actors import Actor, Scenario, make_run
from tests.simulation.influx import nanoseconds
from tests.simulation.invariants import require_untorn
from tests.simulation.pipelines import HOUR_NS, WINDOWS
from tests.simulation.schedule import Play

START = nanoseconds(WINDOWS[0].start)
#: nobody has rolled anything up in it yet
UNTOUCHED = 3


def finish(played: Play, number: int) -> None:
    played.runs[number].finish()
    assert played.runs[number].end == "ok"


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("verb", ["roll up", "reconcile"])
def test_window_is_known_to_be_torn_when_stale_values_come_back_that_its_pipeline_has_committed_without(
    verb: str, dies: bool
) -> None:
    """The first run has written them back, and not forgotten them; the third one takes them for values that are away."""
    actors = tuple(Actor(verb, name, 0, 0, name) for name in ("hourly", "other", "third"))
    played = Play(Scenario("three", UNTOUCHED, actors))
    world = played.world
    world.put("c", START + 5_000, 7.0)
    for actor in actors:
        run = make_run(world, Actor("roll up", actor.pipeline, 0, 0, "before"), 90)
        run.finish()
        assert run.end == "ok"
    world.remove("c", START, START + HOUR_NS)
    first = played.runs[0]
    while not (isinstance(first.pending, Delete) and first.pending.measurement == "ghost_survivors"):
        played.do("0")
    if dies:
        played.do("0x")
    finish(played, 1)
    assert ("other", START) in world.committed()
    finish(played, 2)
    assert require_untorn(world, played.sure()) == []
    assert played.rest() == []
