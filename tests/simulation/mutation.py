"""Break the package in one place at a time, and see how long the simulator takes to find it, by schedules that reach the place.

``python -m tests.simulation.mutation [--seconds 60] [words of a mutant's name ...]``
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median
from types import CodeType, ModuleType
from typing import Any

from tests.simulation.archive_mutants import ARCHIVE_MUTANTS
from tests.simulation.mutant import Mutant
from tests.simulation.mutants import MUTANTS
from tests.simulation.tier_mutants import TIER_MUTANTS
from tests.simulation.verb_mutants import VERB_MUTANTS

EVERY_MUTANT = (*MUTANTS, *ARCHIVE_MUTANTS, *VERB_MUTANTS, *TIER_MUTANTS)
PACKAGE = "airflow_provider_influx_rollup"
CHECKOUT = Path(__file__).resolve().parents[2]


class BrokenLoader(importlib.machinery.SourceFileLoader):
    """Loads one module with a text replaced."""

    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text()
        code = self.source_to_code(source.replace(self.mutant.old, self.mutant.new).encode(), self.path)
        assert isinstance(code, CodeType)
        return code


class BrokenFinder(importlib.abc.MetaPathFinder):
    """Finds the module that is broken; all others are found as ever."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.name = f"{PACKAGE}.{mutant.file.removesuffix('.py').replace('/', '.')}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        file = str(CHECKOUT / PACKAGE / self.mutant.file)
        return importlib.machinery.ModuleSpec(
            fullname, BrokenLoader(fullname, file, self.mutant), origin=file
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutation", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose names have them; all")
    parser.add_argument("--seconds", type=float, default=60, help="for how long each is looked for (60)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    arguments = parser.parse_args()
    if arguments.one is not None:
        broken = next((m for m in EVERY_MUTANT if m.name == arguments.one), None)
        sys.stdout.write(json.dumps(_find(broken, arguments.first, arguments.seconds)))
        return 0
    chosen = [m for m in EVERY_MUTANT if all(word in m.name for word in arguments.words)]
    times = []
    for mutant in chosen:
        found = _look_for(mutant, arguments.first, arguments.seconds)
        if found["problem"]:
            times.append(found["seconds"])
        told = f"{found['seconds']:6.1f} s, {found['seeds']:5} schedules: {found['problem'][:110]}"
        sys.stdout.write(f"{'found' if found['problem'] else 'MISSED'}  {mutant.name}\n       {told}\n")
        sys.stdout.flush()
    half = f"; half of them within {median(times):.1f} s of processor time" if times else ""
    sys.stdout.write(f"{len(times)} of {len(chosen)} mutants are found{half}\n")
    return 0 if len(times) == len(chosen) else 1


def _look_for(mutant: Mutant, first: int, seconds: float) -> dict[str, Any]:
    """How long it takes to find one; a seed that fails without it too says nothing of it."""
    spent, seeds = 0.0, 0
    while True:
        found = _in_a_process(mutant.name, first, seconds - spent)
        spent, seeds = spent + found["seconds"], seeds + found["seeds"]
        if not found["problem"] or not _in_a_process("", found["last"], 0.0)["problem"]:
            return {**found, "seconds": spent, "seeds": seeds}
        first = found["last"] + 1


def _in_a_process(mutant: str, first: int, seconds: float) -> dict[str, Any]:
    """:param mutant: empty plays one schedule of the package as it is"""
    command = [sys.executable, "-m", "tests.simulation.mutation", "--one", mutant]
    command += ["--first", str(first), "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"seconds": 0.0, "seeds": 0, "last": first, "problem": done.stderr[-300:]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _find(mutant: Mutant | None, first: int, seconds: float) -> dict[str, Any]:
    """Play schedules of variants that can show it until one fails, and one at least."""
    if mutant is not None:
        sys.meta_path.insert(0, BrokenFinder(mutant))
    from tests.simulation.schedule import play_seed, scenario_of

    began, seed, problem = time.process_time(), 0, ""
    variants, played = mutant.variants() if mutant is not None else (), 0
    for seed in itertools.count(first):
        if variants and scenario_of(Random(seed)).variant not in variants:
            continue
        try:
            problems = play_seed(seed)[2]
        except Exception as error:  # noqa: BLE001 - a broken package may raise anything
            problems = [f"{type(error).__name__}: {error}"]
        problem, played = problems[0] if problems else "", played + 1
        if problem or time.process_time() >= began + seconds:
            break
    return {"seconds": time.process_time() - began, "seeds": played, "last": seed, "problem": problem}


if __name__ == "__main__":
    sys.exit(main())
