"""What a rollup must know of its source when it commits: no point came or went between the reads that its rows are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.flux.chains import PartialAggregates, RollupChains
from airflow_provider_influx_rollup.flux.source_read import FieldTotals, RawPoints
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import Pipeline
from tests.simulation.points import span_of
from tests.simulation.world import World


@dataclass(kw_only=True)
class CountTurns:
    """Of a run of a pipeline that is made of points. Numbers of steps say what came after what.

    :param accuse: says of a start what must not be
    :param before: the last counts of points before the reads that rows are made of, by start
    :param counts: the last counts, by start
    :param counted: when they were counted
    :param read: when it last read what rows are made of
    """

    world: World
    pipeline: Pipeline
    accuse: Callable[[int, str], None]
    now: int = 0
    before: dict[int, int] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    counted: int = 0
    read: int = 0

    def looked(self, step: Any) -> None:
        """The answer of a read has come."""
        self.now += 1
        if isinstance(step, FieldTotals):
            self.counts.update(self._points(*span_of(step.interval)))
            self.counted = self.now
        elif isinstance(step, RollupChains | PartialAggregates | RawPoints):
            if self.read <= self.counted:
                self.before = dict(self.counts)
            self.read = self.now

    def commits(self, start: int) -> None:
        """A window is about to be COMMITTED."""
        # a point that comes when another one goes changes no count; a purge takes points, which a restore brings back
        is_counted = self.world.is_monotone and not (self.pipeline.below or self.world.is_archived)
        if not is_counted or not self.read or start not in self.before:
            return
        if self.counted < self.read:
            self.accuse(start, "commits, and has not counted its points since it read them")
        elif self.before[start] != self.counts[start]:
            self.accuse(
                start, f"commits, and has counted {self.before[start]} points, then {self.counts[start]}"
            )

    def _points(self, start: int, stop: int) -> dict[int, int]:
        times = [time for _, time in self.world.source]
        return {
            first: _between(times, first, last)
            for first, last in ((nanoseconds(w.start), nanoseconds(w.stop)) for w in self.pipeline.windows)
            if start <= first and last <= stop
        }


def _between(times: Collection[int], start: int, stop: int) -> int:
    return sum(start <= time < stop for time in times)
