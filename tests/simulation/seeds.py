"""What a seed makes: a world with some points, and who works in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from random import Random

from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from tests.simulation.actors import Actor, Change, Scenario, rolled_up
from tests.simulation.archive_runs import ARCHIVE_VERBS, archive_run
from tests.simulation.influx import nanoseconds
from tests.simulation.runs import Run
from tests.simulation.watch_runs import WATCH_CHOICES
from tests.simulation.world import ARCHIVED, HOUR_NS, HOURS, SPAN, VARIANTS, WINDOWS, World

BEGINNINGS = 18
#: from which on all windows were archived, and most of them purged
PURGED = 12
#: how often a variant is chosen; those with files take longest
OFTEN = {"uncounted": 2.5, "tiers": 3, "shared": 5, "respecified": 2, "archived": 3.5, "handed over": 0}
WEIGHTS = [OFTEN.get(name, 1.5) for name in VARIANTS]
#: what the writers of a schedule do; of points that only come, or only go, more is known
KINDS = (("new",), ("new",), ("new",), ("remove",), ("new", "over", "remove"))
VERBS = ("roll up", "roll up", "reconcile", "heal")
#: verbs that only some variants have, besides those that keep files
OTHER_VERBS = {
    "validated": ("validate",) * 4,
    "scripted": ("script",) * 4,
    "watched": ("deadman", "sensor", "sensor") * 2,
    "archived": ("validate", "export", "export"),
    "expiring": ("validate", "export"),
}


#: how often two of its own verbs meet where two runs do
OWN_VERBS_MEET = {"watched": 0.4, "scripted": 0.7, **dict.fromkeys(ARCHIVED, 0.7)}

#: which verbs of a variant meet which others more often: files are written while points are erased
RACES = {"archived": (("archive", "compact", "compact"), ("erase",) * 3)}

#: how often few runs of the same window are all there is
MEET = {"shared": 0.8, "uncounted": 0.6, "tiers": 0.7, "archived": 0.6}
#: how often the life of a window goes on beside a run, of worlds that keep files
LIVES = 0.35


def scenario_of(random: Random) -> Scenario:
    variant = random.choices(list(VARIANTS), WEIGHTS)[0]
    beginning = random.randrange(BEGINNINGS)
    is_archived = variant in ARCHIVED
    # who deletes points of a purged window by hand leaves it to the archive to bring them back
    kinds = ("new",) if is_archived else random.choice(KINDS)
    if is_archived and random.random() < LIVES:
        return Scenario(variant, beginning, tuple(_life(random, variant)))
    if random.random() < MEET.get(variant, 0.5):
        once = (("new",), ("remove",), ("remove",)) if variant == "shared" else (("new",), ("remove",))
        actors = _meeting(random, variant, kinds if is_archived else random.choice(once))
    else:
        chosen = [_verb(random, variant, number) for number in range(random.choice((2, 2, 2, 3, 4)))]
        # most often some of them meet
        actors = [_beside(random, one, chosen[0]) for one in chosen]
        actors += [
            _writer(random, kinds) for _ in range(random.choice((0, 0, 1) if is_archived else (0, 1, 1, 2)))
        ]
    if random.random() < 0.3:
        # the same run twice: Airflow takes the first one for dead
        actors.append(replace(random.choice(actors), skew_seconds=random.choice((0, 2))))
    random.shuffle(actors)
    return Scenario(variant, beginning, tuple(actors))


def _meeting(random: Random, variant: str, kinds: Sequence[str]) -> list[Actor]:
    """Few runs of one and the same window, and points that come or go in it."""
    pipelines = VARIANTS[variant]
    verbs = (*ARCHIVE_VERBS.get(variant, ()), *OTHER_VERBS.get(variant, ())) or VERBS
    if random.random() < OWN_VERBS_MEET.get(variant, 0.0):
        often = RACES.get(variant, ((), ()))
        first, other = (random.choice((*verbs, *more)) for more in often)
    else:
        first, other = (
            "roll up" if random.random() < 0.7 else random.choice(VERBS),
            random.choice((*verbs, *VERBS)),
        )
    hour = random.randrange(HOURS)
    actors = []
    for number, (verb, pipeline) in enumerate(
        zip((first, other), (pipelines[-1], random.choice((pipelines[0], *pipelines))), strict=True)
    ):
        window = hour if len(pipeline.windows) > 1 else 0
        is_older = bool(pipeline.older) and random.random() < 0.5
        choice = random.choice(WATCH_CHOICES)
        actors.append(
            Actor(verb, pipeline.name, window, window, f"run {number}", is_older=is_older, choice=choice)
        )
    if variant == "tiers":
        actors[1] = replace(actors[1], pipeline="hourly", first=0, last=HOURS - 1)
    return [*actors, _writer(random, kinds, hour)]


def _life(random: Random, variant: str) -> list[Actor]:
    """A run, and all that becomes of a window in its order: what was purged, late points, rows, files, the end of its points."""
    hour = random.randrange(HOURS)
    verbs = ("restore", "roll up", "archive", "purge", "compact")
    restored, *others = [
        Actor(verb, "hourly", hour, hour, f"run {number}") for number, verb in enumerate(verbs)
    ]
    beside = Actor(
        random.choice((*ARCHIVE_VERBS[variant], "compact", "compact")), "hourly", 0, HOURS - 1, "beside"
    )
    return [beside, restored, _writer(random, ("new",), hour), *others]


def _verb(random: Random, variant: str, number: int) -> Actor:
    pipeline = random.choice(VARIANTS[variant])
    count = len(pipeline.windows)
    first = random.randrange(count)
    last = first if random.random() < 0.6 else random.randrange(first, count)
    return Actor(
        verb=random.choice(VERBS + OTHER_VERBS.get(variant, ()) + ARCHIVE_VERBS.get(variant, ()) * 2),
        pipeline=pipeline.name,
        first=first,
        last=last,
        run_id=f"run {number}",
        skew_seconds=random.choice((0, 0, 0, -3, 5)),
        is_older=bool(pipeline.older) and random.random() < 0.3,
        per_block=random.choice((0, 0, 1)),
        choice=random.choice(WATCH_CHOICES),
    )


def _beside(random: Random, one: Actor, other: Actor) -> Actor:
    """The same run, of the windows of another one of the same pipeline, or as it is."""
    if one.pipeline != other.pipeline or random.random() < 0.5:
        return one
    return replace(one, first=other.first, last=other.last)


def _writer(random: Random, kinds: Sequence[str], hour: int | None = None) -> Actor:
    changes: list[Change] = []
    for _ in range(random.randint(1, 3)):
        kind = random.choice(kinds)
        at = (random.randrange(HOURS) if hour is None else hour) * HOUR_NS + random.choice(
            (0, HOUR_NS // 2, HOUR_NS - 10_000)
        )
        # a new point has a time of its own
        at += 1_000 + random.randrange(1_000) if kind == "new" else 0
        changes.append((kind, random.choice("abcd"), at, random.randrange(400) * 0.25))
    return Actor("write", changes=tuple(changes))


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
    for pipeline in begun:
        is_older = bool(pipeline.older) and random.random() < 0.7
        run = Run(
            world,
            "before",
            rolled_up(world, pipeline.name, SPAN, RunInfo(run_id="before"), is_older=is_older),
        )
        run.finish()
        assert run.end == "ok", run.end
    if world.is_archived:
        _archive_some(world, random, number)
    _change_some(world, random)
    assert not world.problems, world.problems
    return world


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
