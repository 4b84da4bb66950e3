"""What an erasure must have done about the runs that may have read what it erases, before it ends well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.flux.erase import CopiesRecords, PointEdges
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from airflow_provider_influx_rollup.steps.store import PutNew
from tests.simulation.archive_invariants import in_bucket
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import parse_lines
from tests.simulation.world import World

CERTIFICATES = "/certificates/"
FENCE, MANIFEST = "/erasures/fence", "/manifest.json"


@dataclass(kw_only=True)
class EraseTurns:
    """Of an erasure: who was writing when its points or rows went has ended, or lost the window, when it ends well.

    All of them have the same salt here, so that a later one takes the windows that an earlier one has taken from
    dead runs for its own: nobody writes them.

    :param writing: the claim of each such window, by pipeline and start; of those that had points or rows of the series
    :param now: numbers its steps
    :param asked: when it last asked which validations have copied points
    :param looked_at: when it last looked for points of the series
    :param removed: when it last took points out of the bucket or published files without them
    :param fenced: when it last put a fence that was not there
    """

    world: World
    name: str
    writing: dict[tuple[str, int], str] = field(default_factory=dict)
    now: int = 0
    asked: int = 0
    looked_at: int = 0
    removed: int = 0
    fenced: int = 0

    def does(self, step: Any) -> None:
        """A step is about to be acted out that others see."""
        self.now += 1
        if isinstance(step, PutNew) and CERTIFICATES in step.path:
            self._certifies()
        elif isinstance(step, Delete) and step.bucket == "raw":
            self.removed = self.now
        if isinstance(step, Delete) and step.bucket in HOLDS:
            is_reached = HOLDS[step.bucket]
            self.writing |= {
                key: claim for key, claim in self._writing_now().items() if is_reached(self, key)
            }
        elif isinstance(step, Write) and step.bucket == "ledger":
            claims = (dict(line.fields).get("claimed_by") for line in parse_lines(step.lines))
            self.world.taken.update(str(claim) for claim in claims if claim)

    def _certifies(self) -> None:
        if self.asked < self.looked_at:
            self.world.problems.append(
                f"{self.name} certifies, and has not asked for new validations since it looked"
            )
        if self.fenced < self.removed:
            self.world.problems.append(
                f"{self.name} certifies, and has put no fence since it took points away"
            )

    def looked(self, step: Any, answer: Any) -> None:
        """The answer of a step has come."""
        if isinstance(step, CopiesRecords):
            self.asked = self.now
        elif isinstance(step, PointEdges):
            self.looked_at = self.now
        elif isinstance(step, PutNew) and answer:
            # what was there already is another run's, who put it for what that one has removed
            self.fenced = self.now if FENCE in step.path else self.fenced
            self.removed = self.now if step.path.endswith(MANIFEST) else self.removed

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
            if key[0] in names
            and key not in committed
            and fields.get("claimed_by", "") not in ("", *self.world.taken)
        }

    def _has_points(self, key: tuple[str, int]) -> bool:
        pipeline = self.world.pipeline(key[0])
        spans = [(nanoseconds(one.start), nanoseconds(one.stop)) for one in pipeline.windows]
        # earlier windows, which a run may heal, never have points
        stop = dict(spans).get(key[1], key[1])
        return any(
            self.world.is_erased(tags) and key[1] <= time < stop for tags, time in in_bucket(self.world)
        )

    def _has_rows(self, key: tuple[str, int]) -> bool:
        """Rows of any pipeline: a run may write them back."""
        target = self.world.influx.buckets["rolled"].measurements
        return any(
            self.world.is_erased(tags) and key[1] in values
            for series in target.values()
            for (tags, _), values in series.items()
        )


#: what tells that a window holds something of the series, by the bucket that it is deleted from
HOLDS = {"raw": EraseTurns._has_points, "rolled": EraseTurns._has_rows}
