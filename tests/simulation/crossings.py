"""Orders in which runs cross: one stops at a place, another one comes to its own, and one of them dies or goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from tests.simulation.places import (
    is_commit,
    is_delete,
    is_file_claim,
    is_forget,
    is_ledger_read,
    is_look_at_aside,
    is_of_first,
    is_record,
    is_removal,
    is_row_delete,
    is_row_write,
    is_seen,
    pipeline_of,
)
from tests.simulation.runs import Run

Runs = Sequence[Run]
#: verbs that claim windows of an archive
CLAIMING = ("purge", "restore", "erase")
#: a step of a run, and what becomes of it; None leaves it to the schedule
Turn = tuple[int, str | None]
#: how many steps lie between the words that rows are to go and the last one of that
REMOVAL = 22
#: how many steps a run has, about
STEPS = 60
#: places where runs stop, how often, and the how manieth of its kind it may be
PLACES: tuple[tuple[Callable[[Run], bool], int], ...] = (
    (is_record, 3),
    (is_record, 3),
    (is_ledger_read, 12),
    (is_row_write, 2),
    (is_seen, 8),
    (is_delete, 2),
)


def crossed(random: Random, runs: Runs) -> Iterator[Turn]:
    """Two runs, each of which stops once: finds what needs something of another run between two steps, and what is left of it."""
    yield from _calmly(random, _cross(random, runs, removals=0.3))


def crossed_at_removals(random: Random, runs: Runs) -> Iterator[Turn]:
    """The same, where one removes rows."""
    yield from _calmly(random, _cross(random, runs, removals=0.9))


def crossed_by_all(random: Random, runs: Runs) -> Iterator[Turn]:
    """One run stops where it removes rows until all others have ended: finds what it has left to more than one of them."""
    yield from _calmly(random, _cross_all(random, runs))


def late_rows(random: Random, runs: Runs) -> Iterator[Turn]:
    """One run hangs before it writes rows until another one deletes some: finds rows that nobody looks at after they came."""
    yield from _calmly(random, _late_rows(random, runs))


def crossed_at_claims(random: Random, runs: Runs) -> Iterator[Turn]:
    """A run stops once it has claimed a window of an archive, and another one claims it too: finds what goes on all the same."""
    yield from _calmly(random, _cross_at_claims(random, runs))


def _cross_at_claims(random: Random, runs: Runs) -> Iterator[Turn]:
    numbers = [number for number, run in enumerate(runs) if run.verb]
    claiming = [number for number in numbers if runs[number].verb in CLAIMING]
    one, *others = random.sample(claiming, len(claiming))
    for number in (one, *others[:1]):
        for _ in range(random.choice((1, 1, 1, 2))):
            yield from _until(runs, number, is_file_claim)
        yield from _steps(runs, number, random.choice((1, 1, 2, 4)))
    if random.random() < 0.7:
        yield from _to_the_end(runs, one)
    else:
        yield from _do_and_die(random, runs, one, 0.8)
    for number in random.sample(numbers, len(numbers)):
        yield from _to_the_end(runs, number)


def crossed_at_deletes(random: Random, runs: Runs) -> Iterator[Turn]:
    """Two runs stop around what they delete, and one of them does its next step and dies, or is tried again, while the other hangs."""
    yield from _calmly(random, _cross_at_deletes(random, runs))


def _cross_at_deletes(random: Random, runs: Runs) -> Iterator[Turn]:
    numbers = [number for number, run in enumerate(runs) if run.verb]
    one, *others = random.sample(numbers, len(numbers))
    looks = random.random() < 0.35
    if looks:
        # a reconcile has looked longest when it claims what it repairs
        one, *others = sorted((one, *others), key=lambda number: runs[number].verb != "reconcile")
    if random.random() < 0.75:
        # what one puts aside is looked for by its own pipeline
        others.sort(key=lambda number: pipeline_of(runs[number]) is not pipeline_of(runs[one]))
    for number in others[1:]:
        # others may know it then, or be about to write where it has no value
        if random.random() < 0.4:
            yield from _to_the_end(runs, number)
    yield from _some_points(random, runs, 0.1)
    yield from (_looks_first if looks else _deletes_first)(random, runs, one, others)
    for number in random.sample([one, *others], len(numbers)):
        yield from _to_the_end(runs, number)


def _looks_first(random: Random, runs: Runs, one: int, others: Sequence[int]) -> Iterator[Turn]:
    """One hangs where it has looked, and another one deletes something then."""
    is_there = (
        is_record if random.random() < (0.7 if runs[one].verb == "reconcile" else 0.3) else is_look_at_aside
    )
    for _ in range(random.choice((1, 1, 1, 2))):
        yield from _until(runs, one, is_there)
    yield from _some_points(random, runs, 0.1)
    for number in others[:1]:
        yield from _until(runs, number, is_row_delete)
        yield from _do_and_die(random, runs, number, 0.6)
    if random.random() < 0.7:
        yield from _to_the_end(runs, one)


def _deletes_first(random: Random, runs: Runs, one: int, others: Sequence[int]) -> Iterator[Turn]:
    """One hangs before or after its delete, or dies there, and another one comes to its own, or to where it forgets, or ends."""
    yield from _until(runs, one, is_row_delete)
    how = random.random()
    if how < 0.3:
        yield from _do_and_die(random, runs, one, 0.8)
    elif how < 0.55:
        yield from _steps(runs, one, 1)
    yield from _some_points(random, runs, 0.4)
    for number in others[:1]:
        yield from _to_its_own(random, runs, number)
    if random.random() < 0.3:
        yield from _until(runs, one, is_row_write)
    if random.random() < 0.3:
        yield from _to_the_end(runs, one)
    else:
        yield from _do_and_die(random, runs, one, 0.8)


def _to_its_own(random: Random, runs: Runs, number: int) -> Iterator[Turn]:
    how = random.random()
    if how < 0.4:
        yield from _to_the_end(runs, number)
    elif how < 0.65:
        yield from _until(runs, number, is_row_delete)
    else:
        # what it has put aside itself goes first
        for _ in range(random.choice((1, 2, 2, 3))):
            yield from _until(runs, number, is_forget)


def _do_and_die(random: Random, runs: Runs, one: int, likely: float) -> Iterator[Turn]:
    """It does what it stands before, or some steps more, and dies; or is tried again."""
    yield from _steps(runs, one, random.choice((1, 1, 1, 2, 3)))
    if not runs[one].end and random.random() < likely:
        yield one, random.choice("xxr")


def _late_rows(random: Random, runs: Runs) -> Iterator[Turn]:
    numbers = [number for number, run in enumerate(runs) if run.verb]
    one, *others = random.sample(numbers, len(numbers))
    yield from _until(runs, one, is_row_write)
    yield from _some_points(random, runs, 0.9)
    for other in others[:1]:
        yield from _until(runs, other, is_delete)
        yield from _steps(runs, other, random.choice((0, 1, 1, 2, 3, 4)))
    # a count of points is asked for meanwhile
    yield from _steps(runs, one, random.choice((2, 2, 2, 4)))
    for number in (*random.sample(others, len(others)), one):
        yield from _to_the_end(runs, number)


def _cross_all(random: Random, runs: Runs) -> Iterator[Turn]:
    numbers = [number for number, run in enumerate(runs) if run.verb]
    one, *others = random.sample(numbers, len(numbers))
    yield from _some_points(random, runs, 0.6)
    yield from _to_a_place(random, runs, one, 0.9)
    for number in others:
        yield from _some_points(random, runs, 0.2)
        yield from _to_the_end(runs, number)
    yield from _leave(random, runs, one)
    yield from _to_the_end(runs, one)


def _calmly(random: Random, turns: Iterator[Turn]) -> Iterator[Turn]:
    """Most often nothing goes wrong but what is meant to."""
    is_calm = random.random() < 0.8
    for number, fate in turns:
        yield number, fate or ("" if is_calm else None)


def _cross(random: Random, runs: Runs, *, removals: float) -> Iterator[Turn]:
    numbers = [number for number, run in enumerate(runs) if run.verb]
    one, *others = random.sample(numbers, len(numbers))
    if removals > 0.5 and random.random() < 0.8:
        # of the first pipeline there are always rows
        numbers.sort(key=lambda number: not is_of_first(runs[number]))
        one, *others = numbers
    yield from _some_points(random, runs, 0.05 if removals > 0.5 else 0.4)
    yield from _to_a_place(random, runs, one, removals)
    if runs[one].end and others:
        one, others = others[0], [one, *others[1:]]
        yield from _to_a_place(random, runs, one, removals)
        others.reverse()
    yield from _some_points(random, runs, 0.8 if removals > 0.5 else 0.6)
    for other in others[:1]:
        how = random.random()
        if how < 0.5:
            yield from _to_the_end(runs, other)
        elif how < 0.8:
            # what it has read back is not what is there when it commits
            yield from _until(runs, other, is_commit)
        else:
            yield from _to_a_place(random, runs, other, removals / 3)
    yield from _some_points(random, runs, 0.3)
    yield from _leave(random, runs, one)
    for number in random.sample(others, len(others)):
        yield from _to_the_end(runs, number)
    yield from _to_the_end(runs, one)


def _leave(random: Random, runs: Runs, one: int) -> Iterator[Turn]:
    """It ends, or does some steps more; and may die, be tried again, or wait then."""
    how = random.random()
    if how < 0.35:
        yield from _to_the_end(runs, one)
        return
    yield from _steps(runs, one, random.choice((1, 1, 2, 2, 3, 4, 6, 9)))
    if how < 0.75 and not runs[one].end:
        yield one, random.choice("xr")


def _to_a_place(random: Random, runs: Runs, one: int, removals: float) -> Iterator[Turn]:
    """A run, until it has come to a place."""
    if random.random() < removals:
        yield from _until(runs, one, is_removal)
        more = random.randrange(REMOVAL if random.random() < 0.25 else REMOVAL // 2)
    elif random.random() < 0.3:
        more = random.randrange(STEPS)
    else:
        is_there, most = random.choice(PLACES)
        for _ in range(random.randint(1, most)):
            yield from _until(runs, one, is_there)
        more = random.choice((0, 0, 1))
    yield from _steps(runs, one, more)


def _steps(runs: Runs, one: int, count: int) -> Iterator[Turn]:
    for _ in range(count):
        if not runs[one].end:
            yield one, None


def _until(runs: Runs, one: int, is_there: Callable[[Run], bool]) -> Iterator[Turn]:
    while not runs[one].end:
        yield one, None
        if is_there(runs[one]):
            return


def _to_the_end(runs: Runs, one: int) -> Iterator[Turn]:
    while not runs[one].end:
        yield one, None


def _some_points(random: Random, runs: Runs, likely: float) -> Iterator[Turn]:
    """Points come and go."""
    for number, run in enumerate(runs):
        if not run.verb and random.random() < likely:
            # a writer is begun, and has a step for each point
            for _ in range(random.choice((2, 3, 1000))):
                if runs[number].end:
                    break
                yield number, None
