"""The command of the simulator: ``python -m tests.simulation --help``."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from tests.simulation import pairs
from tests.simulation.actors import Scenario, from_json
from tests.simulation.schedule import play, play_seed, shrink

SEEDS_AT_ONCE = 50
SECONDS_BETWEEN_WORDS = 30


def main() -> int:
    """Play schedules until the time or the seeds are used up, or replay one."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="play schedules; ends at the first that fails, with a replay of it")
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


def _run(first: int, seeds: int | None, seconds: float, workers: int) -> int:
    began = told = time.monotonic()
    count = 0
    blocks = _blocks(first, seeds)
    with multiprocessing.Pool(workers) as pool:
        while time.monotonic() < began + seconds and (some := list(itertools.islice(blocks, workers))):
            for played, failed in pool.map(_play_some, some, chunksize=1):
                count += played
                if failed is not None:
                    tell(f"{count} schedules, and seed {failed} FAILS")
                    tell_failure(*play_seed(failed))
                    return 1
            if time.monotonic() - told > SECONDS_BETWEEN_WORDS:
                told = time.monotonic()
                tell(f"{count} schedules, {count / (told - began):.0f} a second, nothing found")
    rate = count / max(0.001, time.monotonic() - began)
    tell(f"{count} schedules from seed {first} on, {rate:.0f} a second by {workers} processes: nothing found")
    return 0


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


def _play_some(block: tuple[int, int]) -> tuple[int, int | None]:
    """How many were played, and the seed that failed."""
    for number in range(block[1]):
        if play_seed(block[0] + number)[2]:
            return number + 1, block[0] + number
    return block[1], None


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
