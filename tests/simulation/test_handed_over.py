"""A pipeline gives a column up and another one takes it over, with the rows that no point explains any more."""

from __future__ import annotations

import pytest

from tests.simulation.actors import Actor, Scenario, make_run
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import Line
from tests.simulation.pipelines import HOUR_NS, WINDOWS
from tests.simulation.runs import Run
from tests.simulation.schedule import Play
from tests.simulation.world import TAGS

START = nanoseconds(WINDOWS[0].start)
#: nobody has rolled anything up in it yet
UNTOUCHED = 3
GIVEN_UP = "temp_max"


def taken_over(verb: str) -> Play:
    """The second window has a new owner for the column; in the first one are rows of points that are gone."""
    played = Play(Scenario("handed over", UNTOUCHED, (Actor(verb, "other", 0, 0, "takes over"),)))
    played.world.put("c", START + 5_000, 7.0)
    run(played, Actor("roll up", "hourly", 0, 0, "before", is_older=True))
    played.world.remove("c", START, START + HOUR_NS)
    run(played, Actor("roll up", "other", 1, 1, "the next hour"))
    run(played, Actor("roll up", "hourly", 0, 0, "gives up"))
    return played


def run(played: Play, actor: Actor) -> Run:
    one = make_run(played.world, actor, 90)
    one.finish()
    assert one.end == "ok"
    return one


def given_up(played: Play) -> dict[int, float]:
    """The values of the device in the column, by time."""
    columns = played.world.influx.buckets["rolled"].measurements["m"]
    return dict(columns.get((TAGS["c"], GIVEN_UP), {}))


@pytest.mark.parametrize("verb", ["roll up", "heal", "reconcile"])
def test_rows_of_points_that_are_gone_go_when_another_pipeline_has_taken_their_column_over(verb: str) -> None:
    played = taken_over(verb)
    assert START in given_up(played)
    (taking,) = played.runs
    taking.finish()
    assert taking.end == "ok"
    assert START not in given_up(played)
    assert played.rest() == []


def test_values_of_a_column_that_was_handed_over_stay_when_no_run_has_written_them() -> None:
    """The pipeline that wrote the column before has no receipt of that window."""
    played = taken_over("roll up")
    world, last = played.world, nanoseconds(WINDOWS[2].start)
    world.influx.write("rolled", [Line("m", TAGS["c"], ((GIVEN_UP, 1.0),), last)])
    world.remove("c", last, last + HOUR_NS)
    refused = make_run(world, Actor("roll up", "other", 2, 2, "refused"), 91)
    refused.finish()
    assert "has no receipt of" in refused.end
    assert given_up(played)[last] == 1.0
