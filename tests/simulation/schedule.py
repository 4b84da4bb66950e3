"""Schedules: which run does its next step when, and what goes wrong; made of a seed, and shrunk when one fails.

A move is a short text: ``0`` is a step of run 0, ``0.2`` the part 2 of those that are open where it waits for several,
``0f`` a step that fails, ``0l`` one whose answer is lost, ``0d`` one that is done twice, ``0x`` the death of the run, ``0r``
its death and its next try, ``+960`` a clock that goes on by 960 seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from random import Random

from airflow_provider_influx_rollup.steps.influx import Gather
from tests.simulation.actors import Actor, Scenario, make_run
from tests.simulation.beginnings import beginning_of
from tests.simulation.influx import nanoseconds
from tests.simulation.invariants import require_rest, require_untorn
from tests.simulation.orders import MANY, order_of
from tests.simulation.pipelines import ERASED
from tests.simulation.places import is_delete, is_seen
from tests.simulation.script_runs import scripts_untorn
from tests.simulation.seeds import scenario_of

MOVE = re.compile(r"(\d+)(?:\.(\d+))?([fldxr]?)|\+(\d+)")
HUNG_SECONDS = 16 * 60
#: how often the clock goes on when a run has ended
ENDED = 0.7
#: how many steps after a delete it matters no more for who dies
FAR = 8


class Play:
    """A schedule that is being played.

    :param log: what happened, for people; None: it is not kept
    """

    def __init__(self, scenario: Scenario, *, log: list[str] | None = None) -> None:
        self.scenario, self.log = scenario, log
        self.world = beginning_of(scenario.variant, scenario.beginning).copy()
        self.world.has_own_clocks = scenario.has_own_clocks
        self.runs = [make_run(self.world, actor, number) for number, actor in enumerate(scenario.actors)]
        self.world.runs = self.runs
        self.world.is_monotone = scenario.is_monotone
        self.tries = [1] * len(self.runs)

    def do(self, move: str) -> None:
        """Do a move; one that is not possible is none."""
        number, part, fate, seconds = _parts_of(move)
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
        run.advance(part, fate)
        if self.log is not None:
            self._tell(f"{run.name}: {run.told()}{'; it ends: ' + run.end if run.end else ''}")

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
        self.world.has_own_clocks = False
        problems = list(self.world.problems) + scripts_untorn(self.world)
        if self.scenario.is_monotone:
            # who dies between a delete and what is to be said of it leaves that to the next run of the window
            if away := {start for _, start in self._aside()}:
                # what lacks comes back, and what is there is of no other time than the commit
                problems += require_untorn(self.world, self.sure(), away)
            problems += self._again_where_aside() + require_untorn(self.world, self.sure())
        if not problems:
            self._tell("all is at rest")
            problems = require_rest(self.world)
        return problems

    def _again_where_aside(self) -> list[str]:
        """Roll those of these windows up again that are not COMMITTED."""
        problems = []
        for name, start in self._aside():
            pipeline = self.world.pipeline(name)
            if pipeline.below or (name, start) in self.world.committed():
                # a tier has no neighbours, and waits for the tier below; who has COMMITTED has brought all back
                continue
            starts = [nanoseconds(window.start) for window in pipeline.windows]
            window = starts.index(start)
            run = make_run(self.world, Actor("roll up", name, window, window, "again"), len(self.runs))
            run.finish()
            if run.end != "ok":
                problems.append(f"{run.name} fails: {run.end}")
        return problems

    def _aside(self) -> list[tuple[str, int]]:
        """Pipeline and start of the windows for which a run has put values of others aside that nobody has forgotten."""
        records = self.world.influx.buckets["ledger"].pivoted("ghost_survivors")
        return sorted({(dict(tags)["pipeline"], time) for tags, time, _ in records})

    def _tell(self, text: str) -> None:
        if self.log is not None:
            self.log.append(text)


@lru_cache(maxsize=1024)
def _parts_of(move: str) -> tuple[str, ...]:
    found = MOVE.fullmatch(move)
    assert found is not None, f"no move: {move!r}"
    return found.groups()


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
    chance = random.choice((0.0, 0.0, 0.02, 0.06))
    is_waited_for = played.world.is_archived or scenario.variant in ERASED
    clock = random.choice((0.02, 0.05)) if is_waited_for else chance / 4
    # who dies then has not written back what it took along
    after_deletes, since = random.choice((0.0, 0.0, 0.5)), dict[int, int]()
    if len(played.runs) >= MANY:
        # of many that come one after the other, most are to end well
        chance, after_deletes = chance / 4, after_deletes / 4
    order = order_of(random, played.runs, deletes=scenario.deletes)
    for turn in order(random, played.runs):
        number, fixed = turn if isinstance(turn, tuple) else (turn, None)
        run = played.runs[number]
        part = random.randrange(8) if isinstance(run.pending, Gather) else 0
        # most often where others see what becomes of it
        likely = chance * (2 if is_seen(run) else 1)
        fate = random.choice("ffldxr") if random.random() < likely else ""
        steps = since.get(number, FAR)
        if steps < FAR and random.random() < after_deletes / (1 + steps):
            fate = random.choice("xrr")
        fate = fate if fixed is None else fixed
        since[number] = 0 if is_delete(run) else steps + 1
        moves.append(f"{number}{f'.{part}' if part else ''}{fate}")
        played.do(moves[-1])
        # a purge waits until an archive has been right for some time, and an erasure for runs that may be dead
        if random.random() < (ENDED if is_waited_for and run.end else clock):
            moves.append(f"+{random.choice((1, 60, 60, HUNG_SECONDS))}")
            played.do(moves[-1])
    return scenario, moves, played.rest()


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
