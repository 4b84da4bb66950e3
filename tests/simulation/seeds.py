"""What a seed makes: a world with some points, and who works in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.simulation.actors import STALE, Actor, Change, Scenario
from tests.simulation.archive_runs import ARCHIVE_VERBS
from tests.simulation.beginnings import BEGINNINGS, PURGED, gone_in
from tests.simulation.pipelines import ARCHIVED, ERASED, HOUR_NS, HOURS, SHARED, VARIANTS
from tests.simulation.watch_runs import WATCH_CHOICES

#: how often a variant is chosen; those with files take longest
OFTEN = {
    "uncounted": 3,
    "tiers": 4,
    "shared": 10,
    "respecified": 2.5,
    "archived": 3,
    "expiring": 1,
    "aged": 2,
    "validated": 1.5,
    "watched": 3,
    "handed over": 2,
    "three": 3,
}
WEIGHTS = [OFTEN.get(name, 1) for name in VARIANTS]
#: what the writers of a schedule do; of points that only come, or only go, more is known
KINDS = (("new",), ("new",), ("new",), ("remove",), ("new", "over", "remove"))
VERBS = ("roll up", "roll up", "reconcile", "heal")
#: verbs that only some variants have, besides those that keep files
OTHER_VERBS = {
    "validated": ("validate",) * 4,
    "scripted": ("script",) * 4,
    **dict.fromkeys(ERASED, ("erase",) * 4),
    "watched": ("deadman", "sensor", "sensor") * 2,
    "archived": ("validate", "export", "export"),
    "expiring": ("validate", "export"),
}


#: how often two of its own verbs meet where two runs do
OWN_VERBS_MEET = {"watched": 0.4, "scripted": 0.7, **dict.fromkeys(ARCHIVED, 0.7)}

#: which verbs of a variant meet more often: one writes what the other one has read
RACES = {
    "archived": (
        ("archive", "erase"),
        ("compact", "erase"),
        ("compact", "erase"),
        ("validate", "erase"),
        ("roll up", "erase"),
        ("compact", "archive"),
        ("purge", "purge"),
        ("purge", "purge"),
        ("purge", "archive"),
        ("export", "export"),
    ),
    **dict.fromkeys(ERASED, (("roll up", "erase"), ("reconcile", "erase"), ("heal", "erase"))),
    "expiring": (
        ("compact", "archive"),
        ("purge", "purge"),
        ("purge", "restore"),
        ("purge", "expiring"),
        ("archive", "expiring"),
    ),
    "watched": (("sensor", "roll up"), ("sensor", "deadman")),
}
RACE = 0.5
#: how often a world begins with rows of points that are gone, where nothing is archived
STALES = {
    "shared": 0.7,
    "handed over": 0.5,
    "three": 0.6,
    "erased": 0.7,
    "watched": 0.7,
    "validated": 0.7,
    "respecified": 0.4,
}
#: most often one pipeline alone has rows, and another one has never run
STALE_BEGINNINGS = (*range(STALE, BEGINNINGS), *range(STALE, BEGINNINGS, 3))
#: beginnings in which the points are gone of the series that is erased; in the last one two pipelines have its rows
ERASED_ARE_GONE = (22, 27, 32, 32, 32)
#: what comes then
KINDS_OF_STALE = {"validated": (("new",), ("over",), ("over",))}

#: how often few runs of the same window are all there is
MEET = {
    "shared": 0.8,
    "handed over": 0.7,
    "three": 0.8,
    **dict.fromkeys(ERASED, 0.9),
    "uncounted": 0.6,
    "tiers": 0.7,
    "archived": 0.6,
}


#: who hangs while all that becomes of a window happens
BESIDE_A_LIFE = (*ARCHIVE_VERBS["archived"], "compact", "compact", "restore", "restore", "export")


def scenario_of(random: Random) -> Scenario:
    variant = random.choices(list(VARIANTS), WEIGHTS)[0]
    is_archived = variant in ARCHIVED
    is_stale = not is_archived and random.random() < STALES.get(
        variant, 0.0 if variant == "erased tiers" else 0.2
    )
    beginning = random.choice(STALE_BEGINNINGS) if is_stale else random.randrange(STALE)
    if variant == "erased" and is_stale:
        beginning = random.choice(ERASED_ARE_GONE)
    # who deletes points of a purged window by hand leaves it to the archive to bring them back
    kinds = ("new",) if is_archived else random.choice(KINDS)
    # what comes back is most often what was there
    devices = "abcd" + gone_in(beginning) * (4 if is_stale else 0)
    if variant == "aged":
        # most often all windows were archived and purged, and their files are there
        aged = random.choice((beginning, random.randrange(PURGED, STALE), random.randrange(PURGED, STALE)))
        return Scenario(variant, aged, tuple(_life(random)))
    if random.random() < MEET.get(variant, 0.5):
        if is_stale:
            kinds = random.choice(KINDS_OF_STALE.get(variant, (("new",), ("new",), ("new",), ("remove",))))
        elif not is_archived:
            kinds = random.choice(
                (("new",), ("remove",), ("remove",)) if variant in SHARED else (("new",), ("remove",))
            )
        actors = _meeting(random, variant, kinds, devices, is_stale=is_stale)
    else:
        chosen = [_verb(random, variant, number) for number in range(random.choice((2, 2, 2, 3, 4)))]
        # most often some of them meet
        actors = [_beside(random, one, chosen[0]) for one in chosen]
        actors += [
            _writer(random, kinds, devices=devices)
            for _ in range(random.choice((0, 0, 1) if is_archived else (0, 1, 1, 2)))
        ]
    if random.random() < 0.3:
        # the same run twice: Airflow takes the first one for dead
        actors.append(replace(random.choice(actors), skew_seconds=random.choice((0, 2))))
    random.shuffle(actors)
    return Scenario(variant, beginning, tuple(actors))


def _meeting(
    random: Random, variant: str, kinds: Sequence[str], devices: str, *, is_stale: bool
) -> list[Actor]:
    """Few runs of one and the same window, and points that come or go in it."""
    pipelines = VARIANTS[variant]
    verbs = (*ARCHIVE_VERBS.get(variant, ()), *OTHER_VERBS.get(variant, ())) or VERBS
    if variant in RACES and random.random() < RACE:
        first, other = random.choice(RACES[variant])
    elif random.random() < OWN_VERBS_MEET.get(variant, 0.0):
        first, other = random.choice(verbs), random.choice(verbs)
    else:
        first, other = (
            "roll up" if random.random() < 0.7 else random.choice(VERBS),
            random.choice((*verbs, *VERBS)),
        )
    hour = random.randrange(HOURS)
    actors = []
    # of the first pipeline there are always rows
    its = pipelines[0] if is_stale else random.choice((pipelines[0], *pipelines))
    for number, (verb, pipeline) in enumerate(zip((first, other), (pipelines[-1], its), strict=True)):
        window = hour if len(pipeline.windows) > 1 else 0
        is_older = bool(pipeline.older) and random.random() < 0.5
        choice = random.choice(WATCH_CHOICES)
        actors.append(
            Actor(verb, pipeline.name, window, window, f"run {number}", is_older=is_older, choice=choice)
        )
    if variant == "tiers" or (variant == "erased tiers" and actors[1].verb != "erase"):
        actors[1] = replace(actors[1], pipeline="hourly", first=0, last=HOURS - 1)
    if is_stale and variant in SHARED and variant != "erased" and random.random() < 0.35:
        # two runs of one pipeline, which may find what the other one has put aside
        actors[0] = replace(actors[0], pipeline=its.name, verb=random.choice(VERBS))
    actors += _others_that_meet(random, variant, actors)
    return [*actors, _writer(random, kinds, hour, devices)]


def _others_that_meet(random: Random, variant: str, actors: Sequence[Actor]) -> list[Actor]:
    """Who meets two runs besides."""
    pipelines, others = VARIANTS[variant], list[Actor]()
    if len(pipelines) > 2 and random.random() < 0.8:
        # what one takes along belongs to two
        others.append(
            Actor(random.choice(VERBS), pipelines[1].name, actors[0].first, actors[0].last, "run 3")
        )
    if variant in ERASED:
        # the second try takes a run for dead that the first one has found
        others += [replace(one, run_id="run 4") for one in actors if one.verb == "erase"]
    if variant in SHARED and random.random() < 0.35:
        # who comes after one that died
        again = random.choice([*actors, *others])
        others.append(replace(again, verb=random.choice(VERBS), run_id="run 2"))
    return others


def _life(random: Random) -> list[Actor]:
    """A run, and all that becomes of a window in its order: what was purged, late points, rows, files, the end of its points."""
    hour = random.randrange(HOURS)
    verbs = ("restore", "roll up", "archive", "purge", "compact")
    restored, *others = [
        Actor(verb, "hourly", hour, hour, f"run {number}") for number, verb in enumerate(verbs)
    ]
    verb = random.choice(BESIDE_A_LIFE)
    is_of_all = verb != "restore" or random.random() < 0.3
    beside = Actor(verb, "hourly", 0 if is_of_all else hour, HOURS - 1 if is_of_all else hour, "beside")
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


def _writer(random: Random, kinds: Sequence[str], hour: int | None = None, devices: str = "abcd") -> Actor:
    changes: list[Change] = []
    for _ in range(random.randint(1, 3)):
        kind = random.choice(kinds)
        at = (random.randrange(HOURS) if hour is None else hour) * HOUR_NS + random.choice(
            (0, HOUR_NS // 2, HOUR_NS - 10_000)
        )
        # a new point has a time of its own
        at += 1_000 + random.randrange(1_000) if kind == "new" else 0
        changes.append((kind, random.choice(devices), at, random.randrange(400) * 0.25))
    return Actor("write", changes=tuple(changes))
