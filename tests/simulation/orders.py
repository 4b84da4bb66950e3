"""Orders in which the runs of a schedule do their steps: each finds what the others seldom come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from airflow_provider_influx_rollup.steps.influx import Report
from tests.simulation.crossings import (
    CLAIMING,
    Turn,
    crossed,
    crossed_at_claims,
    crossed_at_deletes,
    crossed_at_removals,
    crossed_by_all,
    late_rows,
)
from tests.simulation.places import is_delete, is_record, is_seen
from tests.simulation.runs import Run

#: after how many steps that others see a run hangs; and one of a verb that has only few of them
HANGS = (1, 2, 2, 3, 4, 6, 8)
SHORT_HANGS = (1, 1, 2)
SHORT = ("sensor", "deadman")
#: verbs that read points and write them to files, or to tables, in one step
FILE_WRITERS = ("archive", "expiring", "export", "compact")
#: how many runs are many
MANY = 6
Runs = Sequence[Run]
Order = Callable[[Random, Runs], Iterator[int] | Iterator[Turn] | Iterator[int | Turn]]


def bursts(random: Random, runs: Runs) -> Iterator[int]:
    """Any run, for some steps."""
    burst = random.choice((1, 3, 8))
    while open_ := [number for number, run in enumerate(runs) if not run.end]:
        number = random.choice(open_)
        for _ in range(random.randint(1, burst)):
            if runs[number].end:
                break
            yield number


def by_rank(random: Random, runs: Runs) -> Iterator[int]:
    """The run of the highest rank, which falls to the lowest at a few random steps: finds what needs few changes of turn."""
    ranks = list(range(len(runs)))
    random.shuffle(ranks)
    falls = set(random.sample(range(60), random.randint(1, 4)))
    step = 0
    while open_ := [number for number in ranks if not runs[number].end]:
        yield open_[0]
        if step in falls:
            ranks.remove(open_[0])
            ranks.append(open_[0])
        step += 1


def by_effects(random: Random, runs: Runs) -> Iterator[int]:
    """Any run, until others would see what it does next: finds what needs several changes of turn at the right places.

    Some of these schedules also change the turn between two reads of one script, and right after what others see.
    """
    in_reads, after = random.random() < 0.6, random.random() < 0.5
    number = -1
    while open_ := [number for number, run in enumerate(runs) if not run.end]:
        others = [one for one in open_ if one != number and is_seen(runs[one])]
        # what is seen between two reads is what makes them differ
        is_between = number in open_ and runs[number].is_reading and others and random.random() < 0.7
        number = random.choice(others if is_between else open_)
        if after and is_seen(runs[number]):
            yield number
        else:
            yield from _until_seen(runs, number, in_reads=in_reads)


def hanging(random: Random, runs: Runs) -> Iterator[int]:
    """One run hangs before something that others would see, until these have done some of theirs: finds what comes too late."""
    if random.random() < 0.3:
        yield from _points(runs, random.randint(1, 3))
    one = random.randrange(len(runs))
    in_reads = random.random() < 0.5
    is_short = runs[one].verb in SHORT
    for _ in range(random.choice(SHORT_HANGS if is_short else (2, 3, 4, 5, 6) if in_reads else HANGS)):
        yield from _until_seen(runs, one, in_reads=in_reads)
    yield from _without(random, runs, one)


def at_deletes(random: Random, runs: Runs) -> Iterator[int]:
    """One run hangs before it deletes something, most often once all points have come and gone."""
    if random.random() < 0.7:
        yield from _points(runs)
    one = random.randrange(len(runs))
    yield from _until_delete(runs, one)
    yield from _without(random, runs, one)


def around_deletes(random: Random, runs: Runs) -> Iterator[int]:
    """The turn changes right before and right after something is deleted: finds what comes between the deletes of two runs.

    In some of these schedules another run hangs, and does one thing that others see at each of its turns; in some the turn
    changes also after each report, which is where a run goes on to something else.
    """
    hung = random.randrange(len(runs)) if random.random() < 0.4 else -1
    for _ in range(random.choice((1, 2, 2, 2, 3, 4)) if hung >= 0 else 0):
        yield from _until_seen(runs, hung, in_reads=False)
    at_reports = hung < 0 and random.random() < 0.6
    if random.random() < 0.7:
        yield from _points(runs)
    number = -1
    while open_ := [number for number, run in enumerate(runs) if not run.end]:
        others = [one for one in open_ if one != number]
        number = random.choice(others if others and random.random() < 0.5 else open_)
        if number == hung:
            yield from _until_seen(runs, number, in_reads=False)
            continue
        if not is_delete(runs[number]):
            yield from _until_delete(runs, number, at_reports=at_reports)
            if hung < 0:
                continue
        if is_delete(runs[number]):
            yield number


def before_writes(random: Random, runs: Runs) -> Iterator[int]:
    """One run hangs between what it reads and what it writes of that in one step: finds points that come too late."""
    some = [number for number, run in enumerate(runs) if run.verb in FILE_WRITERS]
    if not some:
        yield from hanging(random, runs)
        return
    one = random.choice(some)
    for _ in range(random.choice((1, 1, 1, 2))):
        yield from _until(runs, one, lambda run: run.is_prepared)
    yield from (_others_first if random.random() < 0.6 else _without)(random, runs, one)


def at_records(random: Random, runs: Runs) -> Iterator[int]:
    """One run hangs before it claims its windows, or before it commits them, and all others end: finds what goes by old reads."""
    yield from _points(runs, random.randint(0, 2))
    one = random.choice([number for number, run in enumerate(runs) if run.verb])
    for _ in range(random.choice((1, 1, 2))):
        yield from _until(runs, one, is_record)
    yield from _others_first(random, runs, one)


def _until(runs: Runs, one: int, is_there: Callable[[Run], bool]) -> Iterator[int]:
    """A run, until it has come to a place."""
    while not runs[one].end:
        yield one
        if is_there(runs[one]):
            return


def between_reads(random: Random, runs: Runs) -> Iterator[int]:
    """One run hangs between two of the reads that its rows are computed from: finds rows of two times."""
    yield from _points(runs, random.randint(0, 2))
    one = random.choice([number for number, run in enumerate(runs) if run.verb])
    for _ in range(random.choice((1, 1, 2, 3))):
        yield from _until(runs, one, lambda run: run.is_computing)
    yield from (_others_first if random.random() < 0.6 else _without)(random, runs, one)


def in_turn(random: Random, runs: Runs) -> Iterator[int | Turn]:
    """One run hangs, often before it deletes something, while the others come one after the other: finds what lacks a life of a window.

    Some of these do just that then, and die.
    """
    one = 0 if random.random() < 0.75 else random.randrange(len(runs))
    yield from _to_a_place(random, runs, one)
    dies = random.random() < 0.3
    others = [number for number in range(len(runs)) if number != one]
    # what comes last would often make up for what it does
    last = len(others)
    before = random.choice((last, last - 1, last - 1, random.randrange(last)))
    for number in others[:before]:
        yield from _to_the_end(runs, number)
    if dies and not runs[one].end:
        yield one
        yield one, "x"
    for number in (one, *others[before:]):
        yield from _to_the_end(runs, number)


def _to_a_place(random: Random, runs: Runs, one: int) -> Iterator[int]:
    """A run, until it is about to delete something, or has read what it writes to files, or until others see what it does."""
    is_writer = runs[one].verb in FILE_WRITERS
    place = random.choice(("read", "read", "delete", "seen") if is_writer else ("delete", "delete", "seen"))
    if place == "seen":
        for _ in range(random.randint(1, 12)):
            yield from _until_seen(runs, one, in_reads=False)
        return
    for _ in range(random.choice((1, 1, 2))):
        yield from _until(runs, one, is_delete if place == "delete" else lambda run: run.is_prepared)


def _others_first(random: Random, runs: Runs, one: int) -> Iterator[int]:
    """All others end, one after the other, before one goes on."""
    others = [number for number in range(len(runs)) if number != one]
    for number in (*random.sample(others, len(others)), one):
        yield from _to_the_end(runs, number)


def _to_the_end(runs: Runs, number: int) -> Iterator[int]:
    """All steps of a run that are left."""
    while not runs[number].end:
        yield number


def order_of(random: Random, runs: Runs, *, deletes: float) -> Order:
    """An order for some runs; many of them most often come one after the other.

    :param deletes: how likely it is that what runs delete is what matters
    """
    if len(runs) >= MANY and random.random() < 0.8:
        return in_turn
    verbs = {run.verb for run in runs}
    if sum(run.verb in CLAIMING for run in runs) > 1 and random.random() < 0.3:
        return crossed_at_claims
    if not verbs.isdisjoint(FILE_WRITERS) and random.random() < (0.5 if "erase" in verbs else 0.2):
        return before_writes
    return random.choice(AT_DELETES if random.random() < deletes else ORDERS)


def _points(runs: Runs, most: int = 1000) -> Iterator[int]:
    """All points come and go, or some do."""
    for number in range(len(runs)):
        for _ in range(most + 1):
            if runs[number].verb or runs[number].end:
                break
            yield number


def _until_delete(runs: Runs, number: int, *, at_reports: bool = False) -> Iterator[int]:
    """The steps of a run to just before the next one after which something is gone, or to its next report."""
    while not (runs[number].end or is_delete(runs[number])):
        is_report = isinstance(runs[number].pending, Report)
        yield number
        if is_report and at_reports:
            break


def _without(random: Random, runs: Runs, one: int) -> Iterator[int]:
    """One run hangs while the others do something."""
    inner = random.choice((bursts, by_rank, by_effects, by_effects))
    # a run that is begun again is another one in the same place
    others = [number for number in range(len(runs)) if number != one]
    left = random.choice((1, 2, 3, 4, 5, 6, 8, 10, 1000, 1000))
    # what it has begun it may end at once, or leave open until all others have ended
    is_quick, is_later = random.random() < 0.5, random.random() < 0.5
    for number in inner(random, _Some(runs, others)):
        other = others[number]
        left -= is_seen(runs[other])
        yield other
        if left == 0:
            while is_later and not (runs[other].end or is_seen(runs[other])):
                yield other
            yield from _until_seen(runs, one, in_reads=False)
            while is_quick and not runs[one].end:
                yield one
    while not runs[one].end:
        yield one


def _until_seen(runs: Runs, number: int, *, in_reads: bool) -> Iterator[int]:
    """The steps of a run to just before the next one that others see.

    :param in_reads: or to between two reads of a script
    """
    if runs[number].end:
        return
    yield number
    while not (runs[number].end or is_seen(runs[number]) or (in_reads and runs[number].is_reading)):
        yield number


class _Some(Sequence[Run]):
    """Some of the runs, as they are now."""

    def __init__(self, runs: Runs, numbers: Sequence[int]) -> None:
        self.runs, self.numbers = runs, numbers

    def __getitem__(self, number: Any) -> Any:
        return self.runs[self.numbers[number]]

    def __len__(self) -> int:
        return len(self.numbers)


ORDERS: tuple[Order, ...] = (
    bursts,
    by_rank,
    by_effects,
    by_effects,
    between_reads,
    between_reads,
    between_reads,
    hanging,
    hanging,
    at_records,
    at_records,
    at_deletes,
    around_deletes,
    crossed,
    crossed,
    crossed,
    crossed,
    late_rows,
)
AT_DELETES = (
    at_deletes,
    around_deletes,
    *(crossed_at_removals,) * 6,
    *(crossed_at_deletes,) * 14,
    *(crossed_by_all,) * 4,
    *(late_rows,) * 4,
)
