"""Schedules: which run does its next step when, and what goes wrong; made of a seed, and shrunk when one fails.

A move is a short text: ``0`` is a step of run 0, ``0.2`` the part 2 of those that are open where it waits for several,
``0f`` a step that fails, ``0l`` one whose answer is lost, ``0d`` one that is done twice, ``0x`` the death of the run, ``0r``
its death and its next try, ``+960`` a clock that goes on by 960 seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from random import Random
from typing import Any

from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Gather
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.influx import nanoseconds
from tests.simulation.invariants import require_rest, require_untorn
from tests.simulation.runs import Act, Run
from tests.simulation.world import HOUR_NS, SPAN, VARIANTS, World

MOVE = re.compile(r"(\d+)(?:\.(\d+))?([fldxr]?)|\+(\d+)")
HUNG_SECONDS = 16 * 60
BEGINNINGS = 12
Change = tuple[str, str, int, float]


@dataclass(frozen=True)
class Actor:
    """A run of a scenario.

    :param first: its first window, and ``last`` its last one
    :param changes: of a writer: ``put`` or ``remove``, device, nanoseconds after the first window's start, value
    """

    verb: str
    pipeline: str = ""
    first: int = 0
    last: int = 0
    run_id: str = ""
    skew_seconds: int = 0
    is_older: bool = False
    changes: tuple[Change, ...] = ()

    def text(self) -> str:
        if self.verb == "write":
            return "write " + "; ".join(
                f"{kind} {device} {at} {value}" for kind, device, at, value in self.changes
            )
        older = " as of its older spec" if self.is_older else ""
        skew = f", clock {self.skew_seconds:+} s" if self.skew_seconds else ""
        return f"{self.verb} {self.pipeline}[{self.first}-{self.last}]{older} ({self.run_id}{skew})"


@dataclass(frozen=True)
class Scenario:
    """What runs at once.

    :param beginning: number of the world that it begins with
    """

    variant: str
    beginning: int
    actors: tuple[Actor, ...]

    @property
    def only_adds(self) -> bool:
        """Whether counts alone show each change of the source."""
        return all(kind == "new" for actor in self.actors for kind, *_ in actor.changes)

    def as_json(self, moves: Sequence[str]) -> str:
        return json.dumps(
            {
                "variant": self.variant,
                "beginning": self.beginning,
                "actors": [
                    {key: value for key, value in vars(actor).items() if value not in ("", 0, (), False)}
                    for actor in self.actors
                ],
                "moves": " ".join(moves),
            }
        )


def from_json(text: str) -> tuple[Scenario, list[str]]:
    """Undo ``Scenario.as_json``."""
    values = json.loads(text)
    actors = tuple(
        Actor(**{**one, "changes": tuple((k, d, int(a), float(v)) for k, d, a, v in one.get("changes", ()))})
        for one in values["actors"]
    )
    return Scenario(values["variant"], values["beginning"], actors), values["moves"].split()


# what a seed makes


def scenario_of(random: Random) -> Scenario:
    variant = random.choice(list(VARIANTS))
    beginning = random.randrange(BEGINNINGS)
    only_adds = random.random() < 0.6
    actors = [_verb(random, variant, number) for number in range(random.choice((2, 2, 2, 3, 4)))]
    if random.random() < 0.3:
        # the same run twice: Airflow takes the first one for dead
        actors.append(replace(random.choice(actors), skew_seconds=random.choice((0, 2))))
    actors += [_writer(random, only_adds=only_adds) for _ in range(random.choice((0, 1, 1, 2)))]
    random.shuffle(actors)
    return Scenario(variant, beginning, tuple(actors))


def _verb(random: Random, variant: str, number: int) -> Actor:
    pipeline = random.choice(VARIANTS[variant])
    count = len(pipeline.windows)
    first = random.randrange(count)
    last = first if random.random() < 0.6 else random.randrange(first, count)
    return Actor(
        verb=random.choice(("roll up", "roll up", "reconcile", "heal")),
        pipeline=pipeline.name,
        first=first,
        last=last,
        run_id=f"run {number}",
        skew_seconds=random.choice((0, 0, 0, -3, 5)),
        is_older=bool(pipeline.older) and random.random() < 0.3,
    )


def _writer(random: Random, *, only_adds: bool) -> Actor:
    changes: list[Change] = []
    for _ in range(random.randint(1, 3)):
        kind = "new" if only_adds else random.choice(("new", "over", "remove"))
        at = random.randrange(3) * HOUR_NS + random.choice((0, HOUR_NS // 2, HOUR_NS - 10_000))
        # a new point has a time of its own
        at += 1_000 + random.randrange(1_000) if kind == "new" else 0
        changes.append((kind, random.choice("abcd"), at, random.randrange(400) * 0.25))
    return Actor("write", changes=tuple(changes))


# what happens


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
    # nobody has looked at it before
    world.history = world.history[-1:]
    if number % 4:
        world.write_by_hand()
    for pipeline in world.pipelines if number % 3 else ():
        is_older = bool(pipeline.older) and random.random() < 0.7
        run = Run(
            world, "before", _roll_up(world, pipeline.name, SPAN, RunInfo(run_id="before"), is_older=is_older)
        )
        run.finish()
        assert run.end == "ok", run.end
    for _ in range(random.randint(0, 2)):
        hour, device = random.randrange(3), random.choice("abcd")
        start = nanoseconds(SPAN.start) + hour * HOUR_NS
        if random.random() < 0.5:
            world.put(device, start + 77_000, 1.25)
        else:
            world.remove(device, start, start + HOUR_NS)
    assert not world.problems, world.problems
    return world


def _roll_up(
    world: World,
    name: str,
    span: Interval,
    info: RunInfo,
    skew: timedelta = timedelta(0),
    options: RollupOptions | None = None,
    *,
    is_older: bool = False,
) -> Callable[[], Any]:
    spec = world.pipeline(name).spec(is_older=is_older)
    clock = world.clock_of(skew)
    return lambda: roll_up(spec, span, info, clock, options=options or RollupOptions())


def make_run(world: World, actor: Actor, number: int, try_number: int = 1) -> Run:
    """A run of an actor that has not begun."""
    name = f"{number}: {actor.text()}"
    if actor.verb == "write":
        return Run(world, name, lambda: _changes(actor.changes))
    windows = world.pipeline(actor.pipeline).windows
    span = Interval(windows[actor.first].start, windows[actor.last].stop)
    info = RunInfo(dag_id="dag", task_id=actor.pipeline, run_id=actor.run_id, try_number=try_number)
    skew = timedelta(seconds=actor.skew_seconds)
    spec, clock = world.pipeline(actor.pipeline).spec(is_older=actor.is_older), world.clock_of(skew)
    if actor.verb == "reconcile":
        return Run(world, name, lambda: reconcile(spec, span, info, clock))
    options = RollupOptions(heal="3h") if actor.verb == "heal" else RollupOptions()
    make = _roll_up(world, actor.pipeline, span, info, skew, options, is_older=actor.is_older)
    return Run(world, name, make)


def _changes(changes: Sequence[Change]) -> Iterator[Act]:
    for kind, device, at, value in changes:
        time = nanoseconds(SPAN.start) + at
        if kind == "remove":
            hour = time - (time - nanoseconds(SPAN.start)) % HOUR_NS
            yield Act(
                f"points of {device} go in hour {at // HOUR_NS}",
                lambda world, d=device, h=hour: world.remove(d, h, h + HOUR_NS),
            )
        else:
            yield Act(
                f"point of {device} in hour {at // HOUR_NS}: {value}",
                lambda world, d=device, t=time, v=value: world.put(d, t, v),
            )


class Play:
    """A schedule that is being played.

    :param log: what happened, for people; None: it is not kept
    """

    def __init__(self, scenario: Scenario, *, log: list[str] | None = None) -> None:
        self.scenario, self.log = scenario, log
        self.world = beginning_of(scenario.variant, scenario.beginning).copy()
        self.runs = [make_run(self.world, actor, number) for number, actor in enumerate(scenario.actors)]
        self.tries = [1] * len(self.runs)

    def do(self, move: str) -> None:
        """Do a move; one that is not possible is none."""
        found = MOVE.fullmatch(move)
        assert found is not None, f"no move: {move!r}"
        number, part, fate, seconds = found.groups()
        if seconds is not None:
            self.world.sleep(int(seconds))
            self._tell(f"the clock goes on by {seconds} s")
        elif int(number) < len(self.runs) and not self.runs[int(number)].end:
            self._do(int(number), int(part or 0), fate)

    def _do(self, number: int, part: int, fate: str) -> None:
        run = self.runs[number]
        if fate in ("x", "r"):
            run.die()
            if fate == "r":
                self.tries[number] += 1
                actor = self.scenario.actors[number]
                again = make_run(self.world, actor, number, self.tries[number])
                again.first_version = run.began_at if run.first_version is None else run.first_version
                self.runs[number] = again
            self._tell(f"{run.name} dies{', and its next try begins' if fate == 'r' else ''}")
            return
        done = run.advance(part, fate)
        self._tell(f"{run.name}: {done}{'; it ends: ' + run.end if run.end else ''}")

    def sure(self) -> dict[tuple[str, int], int]:
        """How long the history was at least when what is COMMITTED now was read, by pipeline and start of a window.

        A run that has ended well has made its windows right as of its begin; a try goes on where earlier ones have ended.
        """
        began: dict[tuple[str, str], int] = {}
        pairs = [(self.scenario.actors[number], run) for number, run in enumerate(self.runs)]
        for actor, run in pairs:
            key = actor.pipeline, actor.run_id
            began[key] = min(run.version, began.get(key, run.version))
        found: dict[tuple[str, int], int] = {}
        for actor, run in pairs:
            if run.end == "ok" and actor.verb in ("roll up", "heal") and not actor.is_older:
                for window in self.world.pipeline(actor.pipeline).windows[actor.first : actor.last + 1]:
                    place = actor.pipeline, nanoseconds(window.start)
                    found[place] = max(found.get(place, 0), began[actor.pipeline, actor.run_id])
        return found

    def rest(self) -> list[str]:
        """All runs end; what is wrong then."""
        for run in self.runs:
            while not run.end:
                self._do(self.runs.index(run), 0, "")
        problems = list(self.world.problems)
        if self.scenario.only_adds:
            problems += require_untorn(self.world, self.sure())
        if not problems:
            self._tell("all is at rest")
            problems = require_rest(self.world)
        return problems

    def _tell(self, text: str) -> None:
        if self.log is not None:
            self.log.append(text)


def play(scenario: Scenario, moves: Sequence[str], log: list[str] | None = None) -> list[str]:
    """Play a schedule; what is wrong after it."""
    played = Play(scenario, log=log)
    for move in moves:
        played.do(move)
    return played.rest()


def play_seed(seed: int) -> tuple[Scenario, list[str], list[str]]:
    """A scenario, the moves of a seed, and what is wrong after them."""
    random = Random(seed)
    scenario = scenario_of(random)
    played = Play(scenario)
    moves: list[str] = []
    order = _bursts(random, played) if random.random() < 0.5 else _by_rank(random, played)
    chance = random.choice((0.0, 0.0, 0.02, 0.06))
    for number in order:
        run = played.runs[number]
        part = random.randrange(8) if isinstance(run.pending, Gather) else 0
        fate = random.choice("ffldxr") if random.random() < chance else ""
        moves.append(f"{number}{f'.{part}' if part else ''}{fate}")
        played.do(moves[-1])
        if random.random() < chance / 4:
            moves.append(f"+{random.choice((1, 60, HUNG_SECONDS))}")
            played.do(moves[-1])
    return scenario, moves, played.rest()


def _bursts(random: Random, played: Play) -> Iterator[int]:
    """Any run, for some steps."""
    burst = random.choice((1, 3, 8))
    while open_ := [number for number, run in enumerate(played.runs) if not run.end]:
        number = random.choice(open_)
        for _ in range(random.randint(1, burst)):
            if played.runs[number].end:
                break
            yield number


def _by_rank(random: Random, played: Play) -> Iterator[int]:
    """The run of the highest rank, which falls to the lowest at a few random steps: finds what needs few changes of turn."""
    ranks = list(range(len(played.runs)))
    random.shuffle(ranks)
    falls = set(random.sample(range(60), random.randint(1, 4)))
    step = 0
    while open_ := [number for number in ranks if not played.runs[number].end]:
        yield open_[0]
        if step in falls:
            ranks.remove(open_[0])
            ranks.append(open_[0])
        step += 1


def shrink(scenario: Scenario, moves: list[str]) -> tuple[Scenario, list[str]]:
    """The same failure with fewer runs, moves and faults, as far as single steps go."""
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for some, fewer in _smaller(scenario, moves):
            if play(some, fewer):
                scenario, moves, is_smaller = some, fewer, True
                break
    return scenario, moves


def _smaller(scenario: Scenario, moves: list[str]) -> Iterator[tuple[Scenario, list[str]]]:
    for number in range(len(scenario.actors)):
        actors = scenario.actors[:number] + scenario.actors[number + 1 :]
        yield (
            replace(scenario, actors=actors),
            [_renumbered(m, number) for m in moves if not _is_of(m, number)],
        )
    size = len(moves) // 2
    while size:
        for start in range(0, len(moves), size):
            yield scenario, moves[:start] + moves[start + size :]
        size //= 2
    for index, move in enumerate(moves):
        plain = re.sub(r"(\d)(?:\.\d+)?[fldr]?$", r"\1", move)
        if plain != move and not move.startswith("+"):
            yield scenario, [*moves[:index], plain, *moves[index + 1 :]]
    for index, actor in enumerate(scenario.actors):
        for change in range(len(actor.changes)):
            fewer = replace(actor, changes=actor.changes[:change] + actor.changes[change + 1 :])
            yield (
                replace(scenario, actors=(*scenario.actors[:index], fewer, *scenario.actors[index + 1 :])),
                moves,
            )


def _is_of(move: str, number: int) -> bool:
    return not move.startswith("+") and re.match(r"\d+", move)[0] == str(number)  # type: ignore[index]


def _renumbered(move: str, gone: int) -> str:
    if move.startswith("+"):
        return move
    return re.sub(r"^\d+", lambda found: str(int(found[0]) - (int(found[0]) > gone)), move)
