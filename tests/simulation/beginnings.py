"""Worlds that schedules begin with: some points, rows and files, and changes since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random

from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from tests.simulation.actors import STALE, rolled_up
from tests.simulation.archive_runs import archive_run
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import HOUR_NS, HOURS, SPAN, WINDOWS, Pipeline
from tests.simulation.runs import Run
from tests.simulation.validate_runs import validate_run
from tests.simulation.watch_runs import DEADMEN, SENSORS, watch_run
from tests.simulation.world import World

#: from which on all windows were archived, and most of them purged
PURGED = 12
BEGINNINGS = 30


def gone_in(number: int) -> str:
    """The device whose points are gone."""
    return "cdbda"[number % 5]


def _that_stays(number: int) -> str:
    return "b" if gone_in(number) != "b" else "c"


@lru_cache(maxsize=1024)
def beginning_of(variant: str, number: int) -> World:
    """A world with some points, some of which were rolled up, and some changed since. To be copied."""
    random = Random(number)
    world = World(variant)
    for hour in range(3):
        for device in random.sample("abcd", random.randint(1, 4)):
            for at in random.sample((0, HOUR_NS // 2, HOUR_NS - 10_000), random.randint(1, 2)):
                time = nanoseconds(SPAN.start) + hour * HOUR_NS + at
                world.put(device, time, random.randrange(400) * 0.25)
    world.nobody_has_looked()
    if number % 4:
        world.write_by_hand()
    # in some only one of the pipelines has ever run
    begun = world.pipelines if number % 3 else world.pipelines[:1] if number >= PURGED else ()
    if number >= STALE:
        _roll_up_what_goes(world, begun, random, number)
    else:
        _roll_up(world, begun, random)
    if world.is_archived:
        _archive_some(world, random, number)
    if number >= STALE:
        _run_verbs(world)
        _let_go(world, random, number)
    else:
        _change_some(world, random)
    assert not world.problems, world.problems
    return world


def _roll_up(world: World, pipelines: Iterable[Pipeline], random: Random) -> None:
    for pipeline in pipelines:
        is_older = bool(pipeline.older) and random.random() < 0.7
        run = Run(
            world,
            "before",
            rolled_up(world, pipeline.name, SPAN, RunInfo(run_id="before"), is_older=is_older),
        )
        run.finish()
        assert run.end == "ok", run.end


def _roll_up_what_goes(world: World, begun: Sequence[Pipeline], random: Random, number: int) -> None:
    """Each window has a point that will be gone; in some worlds the first pipeline alone has rows of these."""
    start, stop = nanoseconds(SPAN.start), nanoseconds(SPAN.stop)
    is_of_first = number % 3 == 1
    if is_of_first:
        world.remove(gone_in(number), start, stop)
        _roll_up(world, begun, random)
    for hour in range(HOURS):
        # and one that stays
        world.put(_that_stays(number), start + hour * HOUR_NS + 4_000, 5.5 * hour)
        world.put(gone_in(number), start + hour * HOUR_NS + 5_000, 7.5 * hour)
    _roll_up(world, begun[:1] if is_of_first else begun, random)


def _change_some(world: World, random: Random) -> None:
    """Some points come late, or go, as far as nothing is purged."""
    for _ in range(random.choice((0, 0, 1)) if world.is_archived else random.randint(0, 2)):
        hour, device = random.randrange(3), random.choice("abcd")
        start = nanoseconds(SPAN.start) + hour * HOUR_NS
        if random.random() < 0.5 or world.is_archived:
            world.put(device, start + 77_000, 1.25)
        else:
            world.remove(device, start, start + HOUR_NS)


def _archive_some(world: World, random: Random, number: int) -> None:
    """Some windows were archived, and some of these purged."""
    info = RunInfo(run_id="before")
    chances = (0.8, 0.4, 0.2) if number < PURGED else (1.0, 0.9, 0.0)
    for verb, chance in zip(("archive", "purge", "compact"), chances, strict=True):
        for window in WINDOWS:
            if random.random() < chance:
                # refused where it was not archived, or not rolled up
                Run(world, "before", archive_run(world, verb, [window], info, world.now), verb=verb).finish()
        world.sleep(3600)


def _run_verbs(world: World) -> None:
    """What watches or validates has said of the points what was so."""
    info = RunInfo(run_id="before")
    if world.variant == "validated":
        Run(world, "before", validate_run(SPAN, info, world.now), verb="validate").finish()
    if world.variant != "watched":
        return
    for verb, choices in (("deadman", len(DEADMEN)), ("sensor", len(SENSORS))):
        for choice in range(choices):
            for span in WINDOWS if verb == "deadman" else (SPAN,):
                watch_run(world, "before", verb, choice, span, world.now).finish()


def _let_go(world: World, random: Random, number: int) -> None:
    """Points of a device go in each window, whose rows stay; other ones come back that have its tags."""
    device = gone_in(number)
    if world.variant == "watched" and number % 2:
        # no series goes, and none is new
        world.put(_that_stays(number), nanoseconds(SPAN.start) + 6_000, 1.5)
        return
    for hour in range(HOURS):
        start = nanoseconds(SPAN.start) + hour * HOUR_NS
        world.remove(device, start, start + HOUR_NS)
        if device == "d" and random.random() < 0.7:
            world.put("a", start, random.randrange(400) * 0.25)
