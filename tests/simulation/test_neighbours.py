"""Two pipelines in the same points: one removes stale values, the other writes the points at any time of that, or begins to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Write
from tests.simulation.actors import Actor, Scenario, make_run
from tests.simulation.influx import nanoseconds
from tests.simulation.invariants import require_untorn
from tests.simulation.pipelines import HOUR_NS, WINDOWS
from tests.simulation.schedule import Play
from tests.simulation.world import TAGS

START = nanoseconds(WINDOWS[0].start)
#: nobody has rolled anything up in it yet
UNTOUCHED = 3
MAX_STEPS = 120
#: what the other pipeline has when the first one plans: nothing; another series; the very points
KNOWN = ("never ran", "other series", "same points")
#: one cut of three, another one in each case; `make soak` tries all
CUTS = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow, id="all")])


def scene(verb: str, known: str) -> Play:
    """The rows of a device whose points are gone are stale; the other pipeline is about to find that they came back."""
    actors = Actor(verb, "hourly", 0, 0, "removes"), Actor("roll up", "other", 0, 0, "writes")
    played = Play(Scenario("shared", UNTOUCHED, actors))
    world = played.world
    world.remove("c", START, START + HOUR_NS)
    world.put("a", START + 1, 3.0)
    if known == "other series":
        rolled_up(played, "other")
    world.put("c", START + 5_000, 7.0)
    rolled_up(played, "hourly")
    if known == "same points":
        rolled_up(played, "other")
    world.remove("c", START, START + HOUR_NS)
    return played


def rolled_up(played: Play, name: str) -> None:
    run = make_run(played.world, Actor("roll up", name, 0, 0, f"before {name}"), 90)
    run.finish()
    assert run.end == "ok"


def steps(played: Play) -> Iterator[int]:
    """The steps of the run that removes; the reads of a gather in the other order."""
    for number in range(MAX_STEPS):
        if played.runs[0].end:
            return
        yield number
        pending = played.runs[0].pending
        last = len(played.runs[0].waiting) - 1 if isinstance(pending, Gather) else 0
        played.do(f"0.{last}")
    pytest.fail("it never ends")


def other_writes(played: Play) -> None:
    played.world.put("c", START + 6_000, 9.0)
    played.runs[1].finish()
    assert played.runs[1].end == "ok"


def cuts_of(verb: str, known: str, every: int) -> range:
    first = (KNOWN.index(known) + (verb == "reconcile")) % every
    return range(first, len(list(steps(scene(verb, known)))), every)


def other_is_about_to_commit(played: Play) -> None:
    """It commits after the delete, when the schedule comes to rest."""
    played.world.put("c", START + 6_000, 9.0)
    while "COMMITTED" not in "".join(getattr(played.runs[1].pending, "lines", ())):
        played.do("1")


@pytest.mark.parametrize("other_goes_on", [other_writes, other_is_about_to_commit])
@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("verb", ["roll up", "reconcile"])
@CUTS
def test_window_is_right_or_known_to_be_torn_when_another_pipeline_runs_at_any_step(
    every: int, verb: str, known: str, other_goes_on: Callable[[Play], None]
) -> None:
    for cut in cuts_of(verb, known, every):
        played = scene(verb, known)
        for number in steps(played):
            if number == cut:
                other_goes_on(played)
        assert played.rest() == [], cut


@pytest.mark.parametrize("known", KNOWN[1:])
@pytest.mark.parametrize("verb", ["roll up", "reconcile"])
def test_window_is_known_to_be_torn_when_the_run_dies_that_has_deleted_its_points(
    verb: str, known: str
) -> None:
    played = scene(verb, known)
    lengths = [number for number in steps(played) if is_delete(played)]
    for cut in range(lengths[0] + 1):
        played = scene(verb, known)
        for number in steps(played):
            if number == cut:
                other_writes(played)
            elif is_delete(played):
                played.do("0")
                played.do("0x")
        rolled_up(played, "hourly")
        assert played.rest() == [], cut


def test_window_is_known_to_be_torn_when_a_run_dies_that_brings_back_what_its_pipeline_is_about_to_commit_without() -> (
    None
):
    """A run that died had put the values aside when they were not stale yet, and deleted them when they were gone."""
    actors = Actor("roll up", "other", 0, 0, "brings back"), Actor("roll up", "hourly", 0, 0, "commits")
    played = Play(Scenario("shared", UNTOUCHED, actors))
    world = played.world
    world.put("c", START + 5_000, 7.0)
    for name in ("hourly", "other"):
        rolled_up(played, name)
    world.remove("c", START, START + HOUR_NS)
    while not is_delete(played):
        played.do("0")
    while "COMMITTED" not in "".join(getattr(played.runs[1].pending, "lines", ())):
        played.do("1")
    for move in ("0", "0r", "0"):
        played.do(move)
    while not writes_counts(played.runs[0].pending):
        played.do("0")
    for move in ("0", "0x"):
        played.do(move)
    played.runs[1].finish()
    assert played.runs[1].end == "ok"
    # before anything is rolled up again that a dead run has put aside
    assert require_untorn(world, played.sure()) == []
    assert played.rest() == []


def test_value_comes_back_when_a_run_dies_that_took_it_along_with_a_stale_series() -> None:
    """A delete takes all along that have the series' tags, and others."""
    actors = Actor("roll up", "other", 0, 0, "commits"), Actor("roll up", "hourly", 0, 0, "removes")
    played = Play(Scenario("shared", UNTOUCHED, actors))
    world = played.world
    world.put("d", START + 5_000, 7.0)
    rolled_up(played, "hourly")
    world.remove("d", START, START + HOUR_NS)
    world.put("a", START + 6_000, 8.0)
    other, removing = played.runs
    other.finish()
    assert other.end == "ok"
    while not (isinstance(removing.pending, Delete) and removing.pending.bucket == "rolled"):
        played.do("1")
    for move in ("1", "1x"):
        played.do(move)
    assert not any(key[0] == TAGS["a"] and key[2] == START for key in world.stored(world.pipeline("other")))
    assert ("other", START) in world.committed()
    assert len(require_untorn(world, played.sure())) == 1
    assert played.rest() == []


@pytest.mark.parametrize("verb", ["roll up", "reconcile"])
def test_first_values_of_a_pipeline_that_nobody_knew_are_known_to_be_lost_when_the_run_dies(
    verb: str,
) -> None:
    """They came right before the delete: its next reconcile finds that they are missing."""
    played = scene(verb, "never ran")
    while not is_delete(played):
        played.do("0")
    other_writes(played)
    for move in ("0", "0x"):
        played.do(move)
    assert len(require_untorn(played.world, played.sure())) == 0
    played.world.deleted_late.clear()
    assert len(require_untorn(played.world, played.sure())) == 1
    assert played.rest()[0].startswith("other ")


def writes_counts(step: Any) -> bool:
    """Whether a step writes rows of the pipeline that counts."""
    return isinstance(step, Write) and step.bucket == "rolled" and "temp_count" in "".join(step.lines)


def handed_over() -> Play:
    """A pipeline whose new spec has given a column up, and another one that is about to write it for the first time."""
    actors = Actor("roll up", "hourly", 0, 0, "gives up"), Actor("roll up", "other", 0, 0, "takes over")
    played = Play(Scenario("handed over", UNTOUCHED, actors))
    played.world.put("c", START + 5_000, 7.0)
    make_older = make_run(played.world, Actor("roll up", "hourly", 0, 0, "before", is_older=True), 90)
    make_older.finish()
    assert make_older.end == "ok"
    return played


def test_column_that_another_pipeline_takes_over_is_right_or_known_to_be_torn() -> None:
    for cut in range(len(list(steps(handed_over())))):
        played = handed_over()
        for number in steps(played):
            if number == cut:
                other_writes(played)
        assert played.runs[0].end == "ok"
        assert played.rest() == [], cut


def is_delete(played: Play) -> bool:
    pending = played.runs[0].pending
    return isinstance(pending, Delete) and pending.bucket == "rolled"
