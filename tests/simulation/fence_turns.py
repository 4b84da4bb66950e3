"""What a run that makes files must have seen before it publishes them: no series was erased since it read the points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew
from tests.simulation.world import World

#: who publishes files of points
PUBLISHES = ("archive", "expiring", "compact")
FENCES = "/erasures"
MANIFEST = "/manifest.json"


@dataclass(kw_only=True)
class FenceTurns:
    """Of an archive or a compaction.

    :param seen: what its last two looks at the erasures have found
    """

    world: World
    name: str
    seen: list[list[str]] = field(default_factory=list)

    def does(self, step: Any) -> None:
        """A step is about to be acted out that others see."""
        if isinstance(step, PutNew) and step.path.endswith(MANIFEST) and self.seen[:1] != self.seen[1:]:
            self.world.problems.append(f"{self.name} publishes, and has seen that series were erased")

    def looked(self, step: Any, answer: Any) -> None:
        """The answer of a step has come."""
        if isinstance(step, ListFolder) and step.path.endswith(FENCES):
            self.seen = [*self.seen[-1:], [one for one in answer if one.startswith("fence")]]

    def ends(self, error: Exception | None, result: Any) -> None:
        """It may end at any time."""
