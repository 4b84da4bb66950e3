"""What a run of a pipeline must have asked before it brings values of others back, forgets what was put aside, and commits."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOfSeveral, SetAsideRecords, StoredSpecs
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import Tags, parse_lines
from tests.simulation.pipelines import Pipeline
from tests.simulation.world import World

ASIDE = "ghost_survivors"
#: series and field
Column = tuple[Tags, str]


@dataclass(kw_only=True)
class AsideTurns:
    """Of values of others. Numbers of steps say what came after what; 0 is never.

    :param accuse: says of a start what must not be
    :param asked: when it last asked who else writes to the points
    :param read: when it last looked at the values of everybody, by start
    :param changed: when it last wrote to the points that it has deleted, or deleted them, by start
    :param deleted: when it last deleted points, by start
    :param told: when it last asked what others have committed, by start
    :param brought: when it last wrote values of others, by start
    :param forgot: when it last forgot what another run had put aside, by start
    :param looked_aside: when it last looked what its own pipeline has put aside
    :param seen: claims of the records of its pipeline that it found at its last look, by start
    :param own: series and fields that it has put aside itself, by start
    :param away: series and fields that runs had put aside when it last looked for what anyone has, by start
    :param writing: claims of the pipelines that were writing a window of a start when it deleted points there, by start
    """

    world: World
    pipeline: Pipeline
    columns: Collection[str]
    accuse: Callable[[int, str], None]
    now: int = 0
    asked: int = 0
    read: dict[int, int] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    deleted: dict[int, int] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)
    brought: dict[int, int] = field(default_factory=dict)
    forgot: dict[int, int] = field(default_factory=dict)
    looked_aside: int = 0
    seen: dict[int, set[str]] = field(default_factory=dict)
    own: dict[int, set[Column]] = field(default_factory=dict)
    away: dict[int, set[Column]] = field(default_factory=dict)
    writing: dict[int, dict[str, str]] = field(default_factory=dict)

    def looked(self, step: Any) -> None:
        """The answer of a read has come."""
        self.now += 1
        if isinstance(step, StoredSpecs):
            self.asked = self.now
        elif isinstance(step, ReceiptsOfSeveral):
            self.told[nanoseconds(step.interval.start)] = self.now
        elif isinstance(step, TargetValues) and step.bucket == self.pipeline.target:
            if step.aggregate_names is None:
                self.read[nanoseconds(step.interval.start)] = self.now
        elif isinstance(step, SetAsideRecords) and step.pipeline == self.pipeline.name:
            self.seen, self.looked_aside = self._claims_by_start(), self.now
        elif isinstance(step, SetAsideRecords) and step.pipeline is None:
            start = nanoseconds(step.interval.start)
            self.own[start], self.away[start] = set(), self._put_aside(start)

    def does(self, step: Any, claims: dict[int, str]) -> None:
        """A step is about to be acted out that others see.

        :param claims: of the run, by start
        """
        self.now += 1
        if isinstance(step, Write) and step.bucket == self.pipeline.target:
            for line in parse_lines(step.lines):
                self._writes(line.time_ns, {name for name, _ in line.fields}, claims.get(line.time_ns, ""))
        elif isinstance(step, Delete) and step.bucket == self.pipeline.target:
            start = nanoseconds(step.interval.start)
            self.changed[start] = self.deleted[start] = self.now
            self._deletes(start, set(step.tags.items()))
        elif isinstance(step, Write) and step.bucket == "ledger":
            for line in parse_lines(step.lines):
                if line.measurement == ASIDE:
                    self.own.setdefault(line.time_ns, set()).update(_columns_of(dict(line.fields)))
        elif isinstance(step, Delete) and step.measurement == ASIDE:
            start = nanoseconds(step.interval.start)
            self._forgets(start, is_own=step.tags.get("claim") == claims.get(start))

    def commits(self, start: int, claim: str) -> None:
        """A window is about to be COMMITTED."""
        if self.forgot.get(start, 0) > self.read.get(start, 0):
            self.accuse(start, "commits, and has not looked since it forgot what another run had put aside")
        if self.seen.get(start, set()) & self._claims_by_start().get(start, set()) - {claim}:
            self.accuse(start, "commits, and has left what another run had put aside")
        if self.asked < self.deleted.get(start, 0):
            self.accuse(start, "commits, and has not asked who writes there since it deleted")
        if self.told.get(start, 0) < self.brought.get(start, 0):
            self.accuse(start, "commits, and has not asked what others have since it wrote values of theirs")

    def _writes(self, start: int, names: Collection[str], claim: str) -> None:
        if self.seen.get(start, set()) - {claim} and self.read.get(start, 0) < self.looked_aside:
            self.accuse(
                start, "writes rows, and has not looked whether what another run had put aside is there"
            )
        if self._is_of_others(names):
            self.brought[start] = self.now
        if start in self.changed:
            self.changed[start] = self.now
        if not set(names) <= set(self.columns) and self.asked < self.read.get(start, 0):
            self.accuse(start, "writes values of others, and has not asked who they are since it looked")

    def _deletes(self, start: int, tags: set[tuple[str, str]]) -> None:
        """What others have put aside of these points, and maybe not written back, is to be put aside by this run too."""
        # what only another spec of it made is no longer wanted by anybody, or another pipeline's
        specs = (*self.pipeline.aggregates, *self.pipeline.older)
        mine = {*self.columns, *(f"temp_{name}" for name in specs)}
        left = self.away.get(start, set()) - self.own.get(start, set())
        left = {one for one in left if tags <= set(one[0]) and one[1] not in mine}
        if left:
            self.accuse(start, f"deletes, and has not put aside what another run had: {sorted(left)}")
        self.writing.setdefault(start, {}).update(self._writing_now(start))

    def _forgets(self, start: int, *, is_own: bool) -> None:
        if not is_own:
            self.forgot[start] = self.now
            return
        if self.asked < self.changed.pop(start, 0):
            self.accuse(
                start, "forgets what it has put aside, and has not asked who writes there since it deleted"
            )
        left = self.writing.pop(start, {}).items() & self._writing_now(start).items()
        if left:
            self.accuse(start, f"forgets what it has put aside, and has left others their claim: {left}")

    def _is_of_others(self, names: Collection[str]) -> bool:
        """Whether other pipelines write some of these fields, and this one does not."""
        return any(
            f"temp_{name}" in names and f"temp_{name}" not in self.columns
            for one in self.world.pipelines
            if one is not self.pipeline and one.target == self.pipeline.target
            for name in one.aggregates
        )

    def _put_aside(self, start: int) -> set[Column]:
        """What runs have put aside."""
        records = self.world.influx.buckets["ledger"].pivoted(ASIDE)
        return {one for _, time, fields in records if time == start for one in _columns_of(fields)}

    def _writing_now(self, start: int) -> dict[str, str]:
        """Claims of other pipelines that have rows at the same time."""
        found, committed = self.world.records(("claimed_by",)), self.world.committed()
        return {
            one.name: str(found[one.name, start]["claimed_by"])
            for one in self.world.pipelines
            if one is not self.pipeline
            and one.target == self.pipeline.target
            and (one.name, start) in found.keys() - committed.keys()
        }

    def _claims_by_start(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for tags, time, _ in self.world.influx.buckets["ledger"].pivoted(ASIDE):
            about = dict(tags)
            if about["pipeline"] == self.pipeline.name:
                found.setdefault(time, set()).add(about["claim"])
        return found


def _columns_of(fields: Mapping[str, Any]) -> Iterator[Column]:
    """Those of a record."""
    for tags, _, name, *_ in json.loads(str(fields["record"]))["values"]:
        yield tuple((tag, text) for tag, text in tags), name
