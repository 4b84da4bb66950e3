"""Orders in which the runs of a schedule do their steps: each finds what the others seldom come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Write
from airflow_provider_influx_rollup.steps.store import (
    EraseParts,
    JoinParts,
    MergeParts,
    PutNew,
    PutOver,
    RemoveFiles,
    WriteParts,
    WritePoints,
)
from airflow_provider_influx_rollup.steps.table import CommitPoints
from tests.simulation.runs import Act, Run
from tests.simulation.script_answers import is_run

SEEN = frozenset(
    (
        CommitPoints,
        Act,
        Write,
        Delete,
        WritePoints,
        WriteParts,
        MergeParts,
        EraseParts,
        JoinParts,
        PutNew,
        PutOver,
        RemoveFiles,
    )
)
#: after how many steps that others see a run hangs; and one of a verb that has only few of them
HANGS = (1, 2, 2, 3, 4, 6, 8)
SHORT_HANGS = (1, 1, 2)
#: steps after which something is gone
DELETES = frozenset((Delete, RemoveFiles, EraseParts))
SHORT = ("sensor", "deadman")
Runs = Sequence[Run]
Order = Callable[[Random, Runs], Iterator[int]]


def is_seen(run: Run) -> bool:
    """Whether others see what the next step of a run does."""
    pending: Any = run.pending
    if is_run(pending):
        return True
    if isinstance(pending, Gather):
        return any(type(pending.steps[number]) in SEEN for number in run.waiting)
    return type(pending) in SEEN


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
    one = random.randrange(len(runs))
    in_reads = random.random() < 0.5
    is_short = runs[one].verb in SHORT
    for _ in range(random.choice(SHORT_HANGS if is_short else (2, 3, 4, 5, 6) if in_reads else HANGS)):
        yield from _until_seen(runs, one, in_reads=in_reads)
    yield from _without(random, runs, one)


def at_deletes(random: Random, runs: Runs) -> Iterator[int]:
    """One run hangs before it deletes something, most often once all points have come and gone."""
    if random.random() < 0.7:
        for number in range(len(runs)):
            while not (runs[number].verb or runs[number].end):
                yield number
    one = random.randrange(len(runs))
    while not runs[one].end and type(runs[one].pending) not in DELETES:
        yield one
    yield from _without(random, runs, one)


def _without(random: Random, runs: Runs, one: int) -> Iterator[int]:
    """One run hangs while the others do something."""
    inner = random.choice((bursts, by_rank, by_effects, by_effects))
    # a run that is begun again is another one in the same place
    others = [number for number in range(len(runs)) if number != one]
    left = random.choice((1, 2, 3, 4, 5, 6, 8, 10, 1000))
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
    hanging,
    hanging,
    at_deletes,
    at_deletes,
)
