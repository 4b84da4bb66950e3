"""What steps really read is within what they are said to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulation import footprints
from tests.simulation.every_order import Explorer, Moment
from tests.simulation.footprints import CLOCK, EVERYTHING, RECEIPTS, STORE, Place, overlap
from tests.simulation.pairs import pair
from tests.simulation.runs import Run

VERBS = {
    "shared": ("roll up", "reconcile", "heal"),
    "tiers": ("roll up", "roll up@daily", "reconcile@daily"),
    "archived": ("archive", "purge", "restore", "compact", "roll up"),
}


class Touched(dict[str, Any]):
    """A dict that remembers which of its keys were looked at."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.names: set[tuple[str, ...]] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add((key,))
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.names.add((key,))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.names.add((str(key),))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self.names.add(())
        return super().__iter__()

    def items(self) -> Any:
        self.names.add(())
        return super().items()


def touched(moment: Moment, move: str) -> set[Place]:
    """What a move looks at, among buckets and files."""
    world = moment.play.world
    for place in world.influx.buckets.values():
        for name in list(place.measurements):
            place.changes(name)
        place.measurements = Touched(place.measurements)
    world.store.files = Touched(world.store.files)
    moment.play.do(move)
    found = set()
    for name, place in world.influx.buckets.items():
        found |= {(name, *rest) for rest in place.measurements.names}  # type: ignore[attr-defined]
        place.measurements = dict(place.measurements)
    found |= {STORE} if world.store.files.names else set()  # type: ignore[attr-defined]
    world.store.files = dict(world.store.files)
    return found


def unsaid(run: Run, moment: Moment, move: str) -> set[Place]:
    """What a step reads that it is not said to read; of one that changes something nothing is said."""
    step, is_first = run.pending, run.began_at is None
    said = footprints.reads(run, step)
    if not is_first and footprints.writes(run, step):
        said = EVERYTHING
    found = touched(moment, move)
    return {place for place in found - ({RECEIPTS} if run.end else set()) if not overlap([place], said)}


def played(variant: str) -> tuple[set[tuple[str, Place]], int]:
    """What is not said of each step of some runs; and of how many something is said."""
    wrong, said = set(), 0
    for beginning in (1, 13):
        verbs = VERBS[variant]
        moment = Moment(pair(variant, beginning, verbs), is_reduced=False)
        while choices := moment.choices():
            # in turns, so that they get in each other's way
            move = choices[len(moment.moves) % len(choices)]
            moment.moves.append(move)
            run = moment.play.runs[int(move.partition(".")[0])]
            said += footprints.reads(run, run.pending) != EVERYTHING
            name = type(run.pending).__name__
            wrong |= {(name, place) for place in unsaid(run, moment, move)}
    return wrong, said


@pytest.mark.parametrize("variant", VERBS)
def test_step_reads_nothing_that_it_is_not_said_to_read(variant: str) -> None:
    wrong, said = played(variant)
    assert wrong == set()
    assert said > 50


def test_step_that_reads_more_than_is_said_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprints, "_reads", lambda _: frozenset([CLOCK]))
    wrong, _ = played("shared")
    assert {place[0] for _, place in wrong} == {"raw", "rolled", "ledger"}


def test_verb_that_writes_what_nobody_knows_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprints, "OF_ROLLUPS", ("pipeline_spec",))
    explorer = Explorer(pair("plain", 1, ["roll up"]))
    with pytest.raises(AssertionError, match=r"writes \('ledger', 'window_"):
        explorer.explore()
