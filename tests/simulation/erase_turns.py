"""What an erasure must have done about the runs that may have read what it erases, before it ends well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.steps.influx import Delete
from tests.simulation.archive_invariants import in_bucket
from tests.simulation.influx import nanoseconds
from tests.simulation.world import World


@dataclass(kw_only=True)
class EraseTurns:
    """Of an erasure: who was writing when its points went has ended, or lost the window, when it ends well.

    :param writing: the claim of each such window, by pipeline and start; of those that had points of the series
    """

    world: World
    name: str
    writing: dict[tuple[str, int], str] = field(default_factory=dict)

    def does(self, step: Any) -> None:
        """A step is about to be acted out that others see."""
        if isinstance(step, Delete) and step.bucket == "raw":
            self.writing |= {
                key: claim for key, claim in self._writing_now().items() if self._has_points(key)
            }

    def looked(self, step: Any, answer: Any) -> None:
        """The answer of a step has come."""

    def ends(self, error: Exception | None, result: Any) -> None:
        """Nobody is left who was writing."""
        if error is not None or not result.is_new:
            return
        left = sorted(self.writing.items() & self._writing_now().items())
        for (pipeline, _), _ in left[:1]:
            self.world.problems.append(
                f"{self.name} certifies, and has not waited for a run that writes windows of {pipeline}"
            )

    def _writing_now(self) -> dict[tuple[str, int], str]:
        """Claims of the windows that are being written."""
        records, committed = self.world.records(("state", "claimed_by")), self.world.committed()
        names = {one.name for one in self.world.pipelines}
        return {
            key: str(fields["claimed_by"])
            for key, fields in records.items()
            if key[0] in names and key not in committed and fields.get("claimed_by")
        }

    def _has_points(self, key: tuple[str, int]) -> bool:
        pipeline = self.world.pipeline(key[0])
        spans = [(nanoseconds(one.start), nanoseconds(one.stop)) for one in pipeline.windows]
        # earlier windows, which a run may heal, never have points
        stop = dict(spans).get(key[1], key[1])
        return any(
            self.world.is_erased(tags) and key[1] <= time < stop for tags, time in in_bucket(self.world)
        )
