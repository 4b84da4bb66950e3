"""All orders of the steps of some runs, each moment that several of them come to once.

Orders meet in a moment when all is the same in it that has an effect on what follows (``state_keys.py``): what is there, what
the checks know, and what each run was told. From there on all is tried once. A step that only reads what no other run may write
(``footprints.py``) is done at once. So no order is left out, but for those that cannot end otherwise than one that was played.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from airflow_provider_influx_rollup.steps.influx import Gather, Sleep
from tests.simulation.actors import Scenario
from tests.simulation.footprints import Places, may_write, overlap, reads, writes
from tests.simulation.schedule import Play
from tests.simulation.state_keys import Watched, key_of, key_of_world

#: of each run what it was told, and what was there when it read what it is going to write
Known = list[tuple[bytes, dict[int, bytes]]]
MOST_MOVES = 400
SECONDS_BETWEEN_WORDS = 15


@dataclass
class Orders:
    """What was found.

    :param orders: how many there are of the moves that others may notice; at least, when some were cut
    :param moments: how many different ones they come through
    :param moves: how many were made, those aside that lead to a moment again
    :param ends: keys of what is left when all runs have ended
    :param cut: how many moments were left out, as there was no time, or as they have too many moves before them
    :param failures: moves, and what is wrong after them
    """

    orders: int = 0
    moments: int = 0
    moves: int = 0
    ends: set[bytes] = field(default_factory=set)
    cut: int = 0
    failures: list[tuple[list[str], list[str]]] = field(default_factory=list)
    seconds: float = 0.0


class Moment:
    """A schedule as far as it was played.

    :param moves: those that have led here
    :param deaths: how many runs may die, all in all
    :param death_of: numbers of those that may
    :param is_reduced: whether steps are done at once that no other run can notice
    """

    def __init__(
        self, scenario: Scenario, *, deaths: int = 0, death_of: Sequence[int] = (), is_reduced: bool = True
    ) -> None:
        self.play = Play(scenario)
        self.deaths, self.death_of, self.is_reduced = deaths, death_of, is_reduced
        self.watched = [Watched(run) for run in self.play.runs]
        self.written = [may_write(run.verb, self.play.world.pipelines) for run in self.play.runs]
        self.moves: list[str] = []
        self.passed: list[list[str]] = []

    def do(self, moves: str) -> None:
        """Do a move, or several of them."""
        for move in moves.split():
            self._require_declared(move)
            self.play.do(move)
            self.moves.append(move)
            self._watch_new_tries()
            for one in self.watched:
                one.has_moved()

    def _require_declared(self, move: str) -> None:
        """No verb writes what nobody expects of it."""
        number = move.partition(".")[0]
        if not number.isdecimal():
            return
        run = self.play.runs[int(number)]
        if run.end or run.began_at is None:
            return
        for place in writes(run, run.pending):
            declared = any(place[: len(one)] == one for one in self.written[int(number)])
            assert declared, f"{run.name} writes {place}, which footprints.py does not know of"

    def known(self) -> Known:
        """What each run was told."""
        return [(one.told, dict(one.prepared)) for one in self.watched]

    def replay(self, moves: Sequence[str]) -> None:
        """Do moves that were done before at this moment; what the runs are told is not asked for."""
        for one in self.watched:
            one.is_replay = True
        for move in moves:
            self.play.do(move)
            self._watch_new_tries(is_replay=True)
        self.moves += moves

    def knows(self, known: Known) -> None:
        """What the runs were told in a replay."""
        for one, (told, prepared) in zip(self.watched, known, strict=True):
            one.is_replay, one.told, one.prepared = False, told, dict(prepared)

    def _watch_new_tries(self, *, is_replay: bool = False) -> None:
        for number, run in enumerate(self.play.runs):
            if self.watched[number].run is not run:
                self.watched[number] = Watched(run, is_replay=is_replay)

    def key(self) -> bytes:
        """The same for all moments from which the same may follow."""
        play = self.play
        return key_of((key_of_world(play.world), play.tries, [one.key() for one in self.watched]))

    def go_on(self) -> None:
        """Do what no other run can notice, whenever it is done; ``passed`` are all moves to deaths right before an end."""
        self.passed = []
        while self.is_reduced and (move := next(self._unnoticed(), None)):
            number = int(move.partition(".")[0])
            before, deaths = list(self.moves), self._deaths(number)
            self.do(move)
            if self.play.runs[number].end:
                self.passed += [[*before, death] for death in deaths]

    def _unnoticed(self) -> Iterator[str]:
        for number, run in enumerate(self.play.runs):
            if run.end:
                continue
            others = self._of_others(number)
            if run.began_at is None or not isinstance(run.pending, Gather):
                if self._is_unnoticed(number, run.pending, others):
                    yield str(number)
                continue
            for part, one in enumerate(run.waiting):
                if self._is_unnoticed(number, run.pending.steps[one], others):
                    yield f"{number}.{part}"

    def _of_others(self, number: int) -> Places:
        """What others may still write."""
        return frozenset(
            place
            for other, run in enumerate(self.play.runs)
            if other != number and not run.end
            for place in self.written[other]
        )

    def _is_unnoticed(self, number: int, step: object, others: Places) -> bool:
        run = self.play.runs[number]
        if run.began_at is not None and writes(run, step):
            # the last one to go on is noticed by nobody, unless it dies: it leaves what it has written until then
            return not others and not isinstance(step, Sleep) and not self._deaths(number)
        return not overlap(reads(run, step), others)

    def _deaths(self, number: int) -> list[str]:
        """The deaths that a run may die now: for good, and until its next try."""
        play = self.play
        died = sum(play.tries) - len(play.tries) + sum(run.end == "died" for run in play.runs)
        is_mortal = number in self.death_of and died < self.deaths
        return [f"{number}x", f"{number}r"] if is_mortal and play.runs[number].began_at is not None else []

    def choices(self) -> list[str]:
        """Each move that may come next."""
        found = []
        for number, run in enumerate(self.play.runs):
            if run.end:
                continue
            parts = len(run.waiting) if isinstance(run.pending, Gather) else 1
            found += [f"{number}.{part}" if part else str(number) for part in range(parts)]
            found += self._deaths(number)
        return found


@dataclass
class Node:
    """A moment, and what was found of the orders that go on from it.

    :param known: what each run was told
    :param left: moves that may come next and were not tried
    :param edges: the moves that were made, those with them that nobody notices, and the moment that they have led to
    :param open: how many of the moves lead to something that was not tried, or were not tried
    :param before: keys of moments that lead here, once for each move
    """

    known: Known
    left: list[str]
    edges: list[tuple[list[str], bytes]] = field(default_factory=list)
    open: int = 0
    before: list[bytes] = field(default_factory=list)


class Explorer:
    """Plays all orders: walks from the beginning to an end again and again, each time by moves that were not tried.

    :param deaths: how many runs may die, all in all
    :param death_of: numbers of those that may
    :param seconds: for how long; what is left then is counted as cut
    :param most_failures: after how many it ends
    :param is_reduced: whether steps are done at once that no other run can notice
    :param tell: is told now and then how far it is
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        deaths: int = 0,
        death_of: Sequence[int] = (),
        seconds: float = 60.0,
        most_failures: int = 1,
        is_reduced: bool = True,
        tell: Callable[[Orders], None] | None = None,
    ) -> None:
        assert scenario.has_own_clocks
        self.scenario, self.deaths, self.death_of = scenario, deaths, death_of
        self.seconds, self.most_failures = seconds, most_failures
        self.is_reduced, self.tell = is_reduced, tell
        self.found = Orders()
        self.nodes: dict[bytes, Node] = {}
        self._began = self._told = time.monotonic()

    def explore(self) -> Orders:
        """All of them, unless a bound ends it."""
        found, first = self.found, self._first()
        while self.nodes[first].open and not self.is_over:
            self._walk(first)
            self._tell()
        found.orders = self._count(first)
        found.cut += sum(len(node.left) for node in self.nodes.values())
        found.moments, found.seconds = len(self.nodes) - 1, time.monotonic() - self._began
        return found

    @property
    def is_over(self) -> bool:
        is_late = time.monotonic() - self._began > self.seconds
        return len(self.found.failures) >= self.most_failures or is_late

    def _beginning(self) -> Moment:
        return Moment(self.scenario, deaths=self.deaths, death_of=self.death_of, is_reduced=self.is_reduced)

    def _first(self) -> bytes:
        """What is before the first moment: one move leads to that, which is none."""
        self.nodes[b""] = Node(self._beginning().known(), [""], open=1)
        return b""

    def _walk(self, key: bytes) -> None:
        """One order, by as many moves as can be that were not tried."""
        moment, is_known = self._beginning(), True
        while (node := self.nodes[key]).open:
            if not node.left:
                moves, key = next(edge for edge in node.edges if self.nodes[edge[1]].open)
                moment.replay(moves)
                is_known = True
                continue
            if is_known:
                moment.knows(node.known)
                is_known = False
            self.found.moves += 1
            done = len(moment.moves)
            moment.do(node.left.pop(0))
            moment.go_on()
            passed = [" ".join(moves[done:]) for moves in moment.passed]
            node.left += passed
            node.open += len(passed)
            before, key = key, self._arrive(moment)
            node.edges.append((moment.moves[done:], key))
            if self.nodes[key].open:
                self.nodes[key].before.append(before)
            else:
                self._close(before)

    def _arrive(self, moment: Moment) -> bytes:
        """The key of a moment, which is new, or known."""
        key = moment.key()
        if key not in self.nodes:
            self.nodes[key] = Node(moment.known(), self._choices(moment, key))
            self.nodes[key].open = len(self.nodes[key].left)
        return key

    def _choices(self, moment: Moment, key: bytes) -> list[str]:
        if self._is_wrong(moment, moment.play.world.problems):
            return []
        choices = moment.choices()
        if choices and len(moment.moves) > MOST_MOVES:
            self.found.cut += 1
            return []
        if not choices:
            self.found.ends.add(end_of(moment))
            self._is_wrong(moment, moment.play.rest())
        return choices

    def _close(self, key: bytes) -> None:
        """All that follows from one more move was tried."""
        keys = [key]
        while keys:
            node = self.nodes[keys.pop()]
            node.open -= 1
            if not node.open:
                keys += node.before

    def _count(self, first: bytes) -> int:
        """How many orders there are; one for each moment that was not gone on from."""
        orders: dict[bytes, int] = {}
        keys = [first]
        while keys:
            edges = self.nodes[keys[-1]].edges
            unknown = [key for _, key in edges if key not in orders]
            if unknown:
                keys += unknown
                continue
            orders[keys.pop()] = sum(orders[key] for _, key in edges) if edges else 1
        return orders[first]

    def _is_wrong(self, moment: Moment, problems: Sequence[str]) -> bool:
        if problems:
            self.found.failures.append((list(moment.moves), list(problems)))
        return bool(problems)

    def _tell(self) -> None:
        if self.tell is not None and time.monotonic() - self._told > SECONDS_BETWEEN_WORDS:
            self._told = time.monotonic()
            self.found.moments = len(self.nodes)
            self.tell(self.found)


def end_of(moment: Moment) -> bytes:
    """A key of what is left when all runs have ended, and of how they have."""
    return key_of((key_of_world(moment.play.world), [run.end for run in moment.play.runs]))
