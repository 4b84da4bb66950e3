"""The command of the simulator: ``python -m tests.simulation --help``."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation import pairs
from tests.simulation.actors import Scenario, from_json
from tests.simulation.random_pairs import explore_pair
from tests.simulation.schedule import play, play_seed, shrink

SEEDS_AT_ONCE = 50
#: of how many blocks of seeds one begins with all orders of a pair: as much time as for the schedules, about
BLOCKS_BETWEEN_PAIRS = 4
SECONDS_BETWEEN_WORDS = 30


def main() -> int:
    """Play schedules until the time or the seeds are used up, or replay one."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="play schedules, and all orders of pairs; ends at the first that fails, with a replay of it",
    )
    run.add_argument("--minutes", type=float, default=60.0, help="for how long (60)")
    run.add_argument("--first", type=int, default=0, help="the first seed (0)")
    run.add_argument("--seeds", type=int, default=None, help="how many; all that there is time for")
    run.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many processes")
    replay = commands.add_parser("replay", help="play one again and say what happens")
    replay.add_argument("schedule", help="a seed, or the JSON that a failure has printed")
    pairs.add_command(
        commands.add_parser("every", help="play all orders of the steps of two runs of a window, or three")
    )
    arguments = parser.parse_args()
    if arguments.command == "every":
        return _play_every_order(arguments)
    if arguments.command == "replay":
        return _replay(arguments.schedule)
    return _run(arguments.first, arguments.seeds, arguments.minutes * 60, arguments.workers)


def tell(text: str) -> None:
    """One line for people."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Played:
    """What was played of a block of seeds.

    :param schedules: how many, and ``orders`` of two runs
    :param failed: the name of what failed, with its moves and what is wrong
    """

    schedules: int
    orders: int
    failed: tuple[str, Scenario, list[str], list[str]] | None = None


def _run(first: int, seeds: int | None, seconds: float, workers: int) -> int:
    began = told = time.monotonic()
    count = orders = 0
    blocks = _blocks(first, seeds)
    with multiprocessing.Pool(workers) as pool:
        while time.monotonic() < began + seconds and (some := list(itertools.islice(blocks, workers))):
            for played in pool.map(_play_some, some, chunksize=1):
                count += played.schedules
                orders += played.orders
                if played.failed is not None:
                    name, *failure = played.failed
                    tell(f"{_told(count, orders, began)}, and {name} FAILS")
                    tell_failure(*failure)
                    return 1
            if time.monotonic() - told > SECONDS_BETWEEN_WORDS:
                told = time.monotonic()
                tell(f"{_told(count, orders, began)}: nothing found")
    tell(f"{_told(count, orders, began)}, from seed {first} on by {workers} processes: nothing found")
    return 0


def _told(count: int, orders: int, began: float) -> str:
    rate = count / max(0.001, time.monotonic() - began)
    return f"{count} schedules, {rate:.0f} a second, and {orders:.1e} orders of pairs"


def _play_every_order(arguments: argparse.Namespace) -> int:
    scenario, found = pairs.explore(arguments, tell)
    tell(pairs.told(found))
    for moves, problems in found.failures:
        tell_failure(scenario, moves, problems)
    return 1 if found.failures else 2 if found.cut else 0


def _blocks(first: int, seeds: int | None) -> Iterator[tuple[int, int]]:
    """The first seed and the number of each block."""
    if seeds is None:
        return ((start, SEEDS_AT_ONCE) for start in itertools.count(first, SEEDS_AT_ONCE))
    stop = first + seeds
    return ((start, min(SEEDS_AT_ONCE, stop - start)) for start in range(first, stop, SEEDS_AT_ONCE))


def _play_some(block: tuple[int, int]) -> Played:
    first, number_of_seeds = block
    orders = 0
    if first // SEEDS_AT_ONCE % BLOCKS_BETWEEN_PAIRS == 0:
        scenario, found = explore_pair(first)
        orders = found.orders
        for moves, problems in found.failures:
            return Played(0, orders, (f"the pair of seed {first}", scenario, moves, problems))
    for number in range(number_of_seeds):
        scenario, moves, problems = play_seed(first + number)
        if problems:
            return Played(number + 1, orders, (f"seed {first + number}", scenario, moves, problems))
    return Played(number_of_seeds, orders)


def tell_failure(scenario: Scenario, moves: list[str], problems: list[str]) -> None:
    """A failure, shrunk, in a form that can be replayed."""
    tell("\n".join(problems))
    small, fewer = shrink(scenario, moves)
    log: list[str] = []
    problems = play(small, fewer, log)
    tell("\nShrunk to:\n  " + "\n  ".join(log))
    tell("  " + "\n  ".join(problems))
    tell(f"\npython -m tests.simulation replay '{small.as_json(fewer)}'")


def _replay(text: str) -> int:
    scenario, moves = from_json(text) if text.startswith("{") else play_seed(int(text))[:2]
    log: list[str] = []
    problems = play(scenario, moves, log)
    tell("\n".join(log))
    tell("\n".join(problems) or "nothing is wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
