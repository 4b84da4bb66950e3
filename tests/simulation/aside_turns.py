"""What a run of a pipeline must have asked before it brings values of others back, forgets what was put aside, and commits."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.flux.ledger_read import SetAsideRecords, StoredSpecs
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import parse_lines
from tests.simulation.pipelines import Pipeline
from tests.simulation.world import World

ASIDE = "ghost_survivors"


@dataclass(kw_only=True)
class AsideTurns:
    """Of values of others. Numbers of steps say what came after what; 0 is never.

    :param accuse: says of a start what must not be
    :param asked: when it last asked who else writes to the points
    :param read: when it last looked at the values of everybody, by start
    :param changed: when it last wrote to the points that it has deleted, or deleted them, by start
    :param forgot: when it last forgot what another run had put aside, by start
    :param seen: claims of the records of its pipeline that it found at its last look, by start
    """

    world: World
    pipeline: Pipeline
    columns: Collection[str]
    accuse: Callable[[int, str], None]
    now: int = 0
    asked: int = 0
    read: dict[int, int] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    forgot: dict[int, int] = field(default_factory=dict)
    seen: dict[int, set[str]] = field(default_factory=dict)

    def looked(self, step: Any) -> None:
        """The answer of a read has come."""
        self.now += 1
        if isinstance(step, StoredSpecs):
            self.asked = self.now
        elif isinstance(step, TargetValues) and step.bucket == self.pipeline.target:
            if step.aggregate_names is None:
                self.read[nanoseconds(step.interval.start)] = self.now
        elif isinstance(step, SetAsideRecords) and step.pipeline == self.pipeline.name:
            self.seen = self._claims_by_start()

    def does(self, step: Any, claims: dict[int, str]) -> None:
        """A step is about to be acted out that others see.

        :param claims: of the run, by start
        """
        self.now += 1
        if isinstance(step, Write) and step.bucket == self.pipeline.target:
            for line in parse_lines(step.lines):
                self._writes(line.time_ns, {name for name, _ in line.fields})
        elif isinstance(step, Delete) and step.bucket == self.pipeline.target:
            self.changed[nanoseconds(step.interval.start)] = self.now
        elif isinstance(step, Delete) and step.measurement == ASIDE:
            start = nanoseconds(step.interval.start)
            self._forgets(start, is_own=step.tags.get("claim") == claims.get(start))

    def commits(self, start: int, claim: str) -> None:
        """A window is about to be COMMITTED."""
        if self.forgot.get(start, 0) > self.read.get(start, 0):
            self.accuse(start, "commits, and has not looked since it forgot what another run had put aside")
        if self.seen.get(start, set()) & self._claims_by_start().get(start, set()) - {claim}:
            self.accuse(start, "commits, and has left what another run had put aside")

    def _writes(self, start: int, names: Collection[str]) -> None:
        if start in self.changed:
            self.changed[start] = self.now
        if not set(names) <= set(self.columns) and self.asked < self.read.get(start, 0):
            self.accuse(start, "writes values of others, and has not asked who they are since it looked")

    def _forgets(self, start: int, *, is_own: bool) -> None:
        if not is_own:
            self.forgot[start] = self.now
        elif self.asked < self.changed.pop(start, 0):
            self.accuse(
                start, "forgets what it has put aside, and has not asked who writes there since it deleted"
            )

    def _claims_by_start(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for tags, time, _ in self.world.influx.buckets["ledger"].pivoted(ASIDE):
            about = dict(tags)
            if about["pipeline"] == self.pipeline.name:
                found.setdefault(time, set()).add(about["claim"])
        return found
