"""What a purge knows of whose turn it is, and what it must have done before it deletes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.steps.influx import Delete, Write
from airflow_provider_influx_rollup.steps.store import CompareParts, FingerprintSource, ListFolder, PutNew
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import parse_lines
from tests.simulation.world import World

CLAIMS = "claims"
#: files of purges that are about to delete
BEGUN = "deletes"


@dataclass(kw_only=True)
class PurgeTurns:
    """Of a purge.

    :param claims: its own, by folder
    :param seen: folder and number of the claim that it has seen last
    :param marked: starts of windows that it has said in the ledger to be deleting
    :param begun: folders in which it has left a file that says so, which no restore takes away
    :param has_looked: whether its last step was a look at all points of a window
    """

    world: World
    name: str
    claims: dict[str, int] = field(default_factory=dict)
    seen: tuple[str, int] = ("", 0)
    marked: set[int] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    has_looked: bool = False

    def looked(self, step: Any, answer: Any) -> None:
        """The answer of a step has come."""
        self.has_looked = isinstance(step, FingerprintSource | CompareParts)
        if isinstance(step, ListFolder) and step.path.endswith(f"/{CLAIMS}"):
            self.seen = step.path, max(map(int, answer), default=0)
        elif isinstance(step, PutNew) and answer and f"/{CLAIMS}/" in step.path:
            folder, _, number = step.path.rpartition("/")
            self.claims[folder] = int(number)
        elif isinstance(step, PutNew) and f"/{BEGUN}/" in step.path:
            self.begun.add(step.path.partition(f"/{BEGUN}/")[0])

    def does(self, step: Any) -> None:
        """A step is about to be acted out that others see."""
        if isinstance(step, Write) and step.bucket == "ledger":
            lines = parse_lines(step.lines)
            self.marked.update(line.time_ns for line in lines if line.measurement == "purged_window")
        elif isinstance(step, Delete) and step.bucket == "raw":
            folder, number = self.seen
            if not self.has_looked:
                self._accuse("has not just looked at its points")
            if nanoseconds(step.interval.start) not in self.marked:
                self._accuse("has not said so in the ledger")
            if folder.removesuffix(f"/{CLAIMS}") not in self.begun:
                self._accuse("has left no file that says so")
            if self.claims.get(folder) != number:
                self._accuse("has seen that another run claimed it")

    def ends(self, error: Exception | None, result: Any) -> None:
        """It may end at any time."""

    def _accuse(self, what: str) -> None:
        self.world.problems.append(f"{self.name} deletes a window and {what}")
