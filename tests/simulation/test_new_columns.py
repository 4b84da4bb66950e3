"""A run plans while a window is empty; a point comes, and another run commits it, at any time of the first one."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.lifecycle.rollup import windows as rollup_windows
from airflow_provider_influx_rollup.steps.influx import Write
from tests.simulation.actors import Actor, Scenario, make_run
from tests.simulation.influx import nanoseconds
from tests.simulation.invariants import require_untorn
from tests.simulation.pipelines import HOUR_NS, WINDOWS
from tests.simulation.schedule import Play
from tests.simulation.world import TAGS

START = nanoseconds(WINDOWS[0].start)
#: nobody has rolled anything up in it yet
UNTOUCHED = 3
MAX_STEPS = 80


def empty_window(verb: str, *, is_known: bool) -> Play:
    """The first window has no point; the ledger may know so."""
    actors = Actor(verb, "hourly", 0, 0, "plans"), Actor("roll up", "hourly", 0, 0, "commits")
    played = Play(Scenario("plain", UNTOUCHED, actors))
    for device in TAGS:
        played.world.remove(device, START, START + HOUR_NS)
    if is_known:
        run = make_run(played.world, Actor("roll up", "hourly", 0, 0, "before"), 90)
        run.finish()
        assert run.end == "ok"
    return played


def length_of(verb: str, *, is_known: bool) -> int:
    played = empty_window(verb, is_known=is_known)
    for number in range(MAX_STEPS):
        if played.runs[0].end:
            return number
        played.do("0")
    return pytest.fail("it never ends")


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("verb", ["roll up", "heal", "reconcile"])
def test_rows_of_another_run_stay_when_their_points_came_after_the_plan(verb: str, is_known: bool) -> None:
    for cut in range(length_of(verb, is_known=is_known)):
        played = empty_window(verb, is_known=is_known)
        for _ in range(cut):
            played.do("0")
        played.world.put("a", START + 5_000, 7.0)
        for run in reversed(played.runs):
            run.finish()
        assert [run.end for run in played.runs] == ["ok", "ok"], cut
        assert require_untorn(played.world, played.sure()) == [], cut
        assert played.rest() == [], cut


def test_window_fails_and_keeps_its_rows_when_there_are_new_columns_after_each_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollup_windows, "MAX_PLANS", 0)
    played = empty_window("roll up", is_known=True)
    planning, committing = played.runs
    while not (isinstance(planning.pending, Write) and planning.pending.bucket == "ledger"):
        played.do("0")
    played.world.put("a", START + 5_000, 7.0)
    committing.finish()
    rows = played.world.stored(played.world.pipeline("hourly"))
    planning.finish()
    assert "another run has written temp_count" in planning.end
    assert played.world.stored(played.world.pipeline("hourly")) == rows != {}
    assert played.rest() == []
