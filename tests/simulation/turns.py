"""What a run knows of whose turn it is, and what it must not do then: of rollups and reconciles, and of purges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.flux.ledger_read import (
    ClaimsOf,
    ReceiptsOf,
    ReceiptsOfSeveral,
    StoredSpecs,
)
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.flux.target_read import TargetTotals, TargetValues
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from tests.simulation.aside_turns import AsideTurns
from tests.simulation.count_turns import CountTurns
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import Line, Tags, parse_lines
from tests.simulation.pipelines import Pipeline
from tests.simulation.plain_rows import Rows
from tests.simulation.points import span_of
from tests.simulation.world import World
from tests.simulation.written_over import forget_late, note_delete, note_writes

ROLLUP = "rollup"


@dataclass(kw_only=True)
class Turns:
    """Of a run of a pipeline.

    :param columns: the fields that it writes
    :param is_rollup: whether it commits nothing but what one state of the source explains
    :param windows: starts of those that it is to commit
    :param began: how long the history was when it began
    :param claims: its own, by start of the window
    :param seen: who had a window when the run last looked, since it claimed it
    :param fresh: windows that it has written nothing to since that look
    :param read_back: the rows that were there when it last read them, by start
    :param looks: what the tier below was at each read since rows were written
    :param used: the same of the reads that the rows are made of
    :param is_alone: whether the ledger knew no other pipeline when the run last asked for them
    :param others_claims: who had the windows of other pipelines at a start when it last looked at them, or took them, since its delete
    :param others: series and fields of others that it has found at a start when it last looked at the values of everybody
    """

    world: World
    name: str
    pipeline: Pipeline
    columns: Collection[str]
    is_rollup: bool
    windows: Sequence[int]
    began: Callable[[], int]
    claims: dict[int, str] = field(default_factory=dict)
    seen: dict[int, str] = field(default_factory=dict)
    fresh: set[int] = field(default_factory=set)
    read_back: dict[int, Rows] = field(default_factory=dict)
    looks: list[dict[int, Below]] = field(default_factory=list)
    used: list[dict[int, Below]] = field(default_factory=list)
    is_alone: bool = False
    others_claims: dict[int, dict[str, str]] = field(default_factory=dict)
    others: dict[int, set[tuple[Tags, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.aside = AsideTurns(
            world=self.world, pipeline=self.pipeline, columns=self.columns, accuse=self._accuse
        )
        self.counting = CountTurns(world=self.world, pipeline=self.pipeline, accuse=self._accuse)

    def looked(self, step: Any, _answer: Any) -> None:
        """The answer of a read has come."""
        self.aside.looked(step)
        self.counting.looked(step)
        if isinstance(step, ClaimsOf | ReceiptsOf):
            if (step.pipeline, step.stage) == (self.pipeline.name, ROLLUP):
                self._looked_at_claims(*span_of(step.interval))
        elif isinstance(step, ReceiptsOfSeveral):
            start = nanoseconds(step.interval.start)
            self.others_claims[start] = self._claims_at(start)
        elif isinstance(step, StoredSpecs):
            specs = self.world.influx.buckets["ledger"].pivoted("pipeline_spec")
            self.is_alone = {dict(tags)["pipeline"] for tags, _, _ in specs} <= {self.pipeline.name}
        elif isinstance(step, TargetTotals | TargetValues) and step.bucket == self.pipeline.target:
            self._looked_at_values(step)
        elif self.pipeline.below and isinstance(step, RollupChains | RawPoints):
            self.looks.append(self._below_now())

    def _looked_at_values(self, step: TargetTotals | TargetValues) -> None:
        # a look at the values of everybody compares nothing
        if step.aggregate_names is not None:
            self._read_back(*span_of(step.interval))
        else:
            start = nanoseconds(step.interval.start)
            self.others[start] = self._others_now(start)

    def _looked_at_claims(self, start: int, stop: int) -> None:
        for window, claim in self._claims_now():
            if start <= window < stop and window in self.claims:
                self.seen[window] = claim
                self.fresh.add(window)

    def _others_now(self, start: int) -> set[tuple[Tags, str]]:
        target = self.world.influx.buckets[self.pipeline.target].measurements
        return {
            key
            for key, values in target.get(self.pipeline.measurement, {}).items()
            if start in values and key[1] not in self.columns
        }

    def _read_back(self, start: int, stop: int) -> None:
        stored = self.world.stored(self.pipeline)
        for window in self.claims:
            if start <= window < stop:
                self.read_back[window] = {key: value for key, value in stored.items() if key[2] == window}

    def does(self, step: Any) -> None:
        """A step is about to be acted out that others see."""
        self.aside.does(step, self.claims)
        if isinstance(step, Write) and step.bucket == "ledger":
            for line in parse_lines(step.lines):
                self._writes_record(line)
        elif isinstance(step, Write) and step.bucket == self.pipeline.target:
            lines = list(parse_lines(step.lines))
            self._changes_rows(
                {line.time_ns for line in lines if any(n in self.columns for n, _ in line.fields)}
            )
            self._require_seen_own({line.time_ns for line in lines})
            note_writes(self.world, self.pipeline, self.columns, lines, self._late_by)
            self._brings_back(lines)
        elif isinstance(step, Delete) and step.bucket == self.pipeline.target:
            start = nanoseconds(step.interval.start)
            self.others_claims.pop(start, None)
            self._changes_rows({start})
            tags = tuple(sorted(step.tags.items()))
            self._deletes_points(start, tags)
            note_delete(self.world, self.pipeline, self.columns, tags, start)
        elif isinstance(step, Delete) and step.measurement == "ghost_survivors":
            self._forgets(nanoseconds(step.interval.start))

    def ends(self, error: Exception | None, _result: Any) -> None:
        """A run that has ended well leaves no window WRITING, but for those that others have claimed since."""
        last = {start: name for pipeline, start, name in self.world.claimed if pipeline == self.pipeline.name}
        if error is None:
            forget_late(self.world, self.name)
            for window in self.claims.items():
                self.world.deleted_late.pop(window, None)
        if error is None and self.is_rollup:
            committed = self.world.committed()
            for start in self.windows:
                key = self.pipeline.name, start
                # one that was overtaken may commit in vain after it
                has_committed = (*key, self.name) in self.world.commits
                if key not in committed and last.get(start, self.name) == self.name and not has_committed:
                    self._accuse(start, "ends well, and has not committed")

    def _writes_record(self, line: Line) -> None:
        tags, fields = dict(line.tags), dict(line.fields)
        if line.measurement == "window_receipt" and "claimed_by" in fields:
            self.world.claimed.append((tags["pipeline"], line.time_ns, self.name))
            if line.time_ns in self.others_claims:
                self.others_claims[line.time_ns][tags["pipeline"]] = str(fields["claimed_by"])
        if (
            line.measurement != "window_receipt"
            or tags["pipeline"] != self.pipeline.name
            or tags["stage"] != ROLLUP
        ):
            return
        start = line.time_ns
        if "claimed_by" not in fields:
            if "committed_by" in fields:
                self._commits(start, fields)
            return
        self.seen.pop(start, None)
        self.fresh.discard(start)
        if "committed_by" in fields:
            # given back, as it was before
            self.claims.pop(start, None)
        else:
            self.claims[start] = str(fields["claimed_by"])
            self.looks = []

    def _commits(self, start: int, fields: Mapping[str, Any]) -> None:
        if start not in self.claims:
            return
        if self.seen.get(start) != self.claims[start]:
            self._accuse(start, "commits what it has seen claimed by another run")
        elif start not in self.fresh:
            self._accuse(start, "commits and has not looked who has the window since it wrote")
        # what is given back was committed by another one
        if fields["committed_by"] != self.claims[start]:
            return
        self.aside.commits(start, self.claims[start])
        self._require_own(start)
        self._require_counted(start, fields)
        key = self.pipeline.name, start
        self.world.commits.add((*key, self.name))
        if not self.is_rollup:
            return
        self.counting.commits(start)
        if self.pipeline.below:
            self._require_one_tier()
        elif self.world.is_monotone and not self.pipeline.older:
            self._require_right(start)

    def _require_own(self, start: int) -> None:
        """A commit that counts is of the run that was the last to claim the window, whatever the ids of claims say."""
        who = [
            name
            for pipeline, one, name in self.world.claimed
            if (pipeline, one) == (self.pipeline.name, start)
        ]
        if dict(self._claims_now()).get(start) == self.claims[start] and who[-1:] not in ([], [self.name]):
            self._accuse(start, f"commits what {who[-1]} has claimed since, under the same id")

    def _require_counted(self, start: int, fields: Mapping[str, Any]) -> None:
        """The receipt counts the rows that were read back last, and the points that they stand for."""
        world, found = self.world, self.read_back.get(start)
        is_late = world.late.get((self.pipeline.name, start)) == self.claims[start]
        is_alone = len([one for one in world.pipelines if one.target == self.pipeline.target]) == 1
        is_plain = is_alone and not self.pipeline.older and world.erasure_began is None
        if not is_plain or found is None or is_late:
            return
        if fields["rows_out"] != len(found):
            self._accuse(start, f"commits {fields['rows_out']} rows, and has read {len(found)} back")
        points = sum(int(value) for (_, name, _), value in found.items() if name == "temp_count")
        is_counted = "count" in self.pipeline.aggregates and not self.pipeline.below
        if is_counted and fields["rows_in"] != points:
            self._accuse(start, f"commits rows of {fields['rows_in']} points, and has read {points} back")

    def _require_right(self, start: int) -> None:
        """What was read back last is what some one state of the source gives."""
        found = self.world.judged(self.read_back.get(start, {}), self.pipeline, start, at_rest=False)
        windows = [one for one in self.pipeline.windows if nanoseconds(one.start) == start]
        states = [
            self.world.judged(
                self.world.expected(self.pipeline, windows, version), self.pipeline, start, at_rest=False
            )
            for version in range(self.began(), len(self.world.history))
        ]
        if found in states:
            return
        is_late = self.world.late.get((self.pipeline.name, start)) == self.claims[start]
        # rows of a run that hung may be like its own
        if not is_late or found.keys() not in [state.keys() for state in states]:
            self._accuse(
                start, f"commits, and what it has read back is not right: {found}, not one of {states}"
            )

    def _require_one_tier(self) -> None:
        """All reads found the same rows of the tier below, and none that were being written."""
        first = self.used[0] if self.used else {}
        for look in self.used:
            for start, below in look.items():
                if not below.is_committed and below.rows != self.world.committed_rows.get(
                    (self.pipeline.below or "", start)
                ):
                    self._accuse(start, "commits a tier of rows that were being written")
                elif below.commit != first[start].commit and below.rows != first[start].rows:
                    self._accuse(start, "commits a tier of rows that were written again while it read them")

    def _changes_rows(self, starts: Collection[int]) -> None:
        if starts and self.looks:
            self.used, self.looks = self.looks, []
        now = dict(self._claims_now())
        for start in starts:
            self.fresh.discard(start)
            if start not in self.claims:
                self._accuse(start, "writes rows of a window that it has not claimed")
            elif start not in self.seen:
                self._accuse(start, "writes rows and has not looked who has the window since it claimed it")
            elif self.seen[start] != self.claims[start]:
                self._accuse(start, "writes rows of a window that it has seen claimed by another run")
            elif now.get(start) != self.claims[start]:
                # it has hung since it looked
                self.world.late[self.pipeline.name, start] = now.get(start, "")

    def _require_seen_own(self, starts: Collection[int]) -> None:
        """Who has seen that another run has a window brings back no values of others there either: that run may need its record."""
        for start in starts:
            if start in self.claims and self.seen.get(start, self.claims[start]) != self.claims[start]:
                self._accuse(start, "writes values to a window that it has seen claimed by another run")

    def _late_by(self, pipeline: str, start: int) -> str:
        """The own name when another pipeline has claimed a window since this run last looked at that, after its delete."""
        seen = self.others_claims.get(start)
        is_late = seen is not None and self._claims_at(start).get(pipeline) != seen.get(pipeline)
        return self.name if is_late else ""

    def _claims_at(self, start: int) -> dict[str, str]:
        records = self.world.records(("claimed_by",))
        return {name: str(one["claimed_by"]) for (name, time), one in records.items() if time == start}

    def _brings_back(self, lines: Collection[Line]) -> None:
        """Values that are there again are not lost, whoever has written them."""
        late = self.world.deleted_late
        for line in lines:
            for key in [key for key in late if key[0] == line.time_ns]:
                late[key] -= {(line.tags, name) for name, _ in line.fields}
                if not late[key]:
                    del late[key]

    def _deletes_points(self, start: int, tags: Tags) -> None:
        """One that dies then loses others' values when nothing is put aside any more, or when it could not know their pipeline."""
        own = self.claims.get(start, "")
        records = self.world.influx.buckets["ledger"].pivoted("ghost_survivors")
        is_kept = any(time == start and dict(tags).get("claim") == own for tags, time, _ in records)
        is_overtaken = dict(self._claims_now()).get(start) != own
        taken = {key for key in self._others_now(start) if set(tags) <= set(key[0])}
        if taken and not is_kept and (is_overtaken or self.is_alone):
            self.world.deleted_late.setdefault((start, own), set()).update(taken)

    def _forgets(self, start: int) -> None:
        """What a run that hung has deleted since it was found in its place comes back, unless this one dies before it looks again."""
        gone = self.others.get(start, set()) - self._others_now(start)
        if gone:
            self.world.deleted_late.setdefault((start, self.claims.get(start, "")), set()).update(gone)

    def _claims_now(self) -> Iterator[tuple[int, str]]:
        for (pipeline, start), values in self.world.records(("claimed_by",)).items():
            if pipeline == self.pipeline.name:
                yield start, values["claimed_by"]

    def _below_now(self) -> dict[int, Below]:
        below = self.world.pipeline(self.pipeline.below or "")
        stored, committed = self.world.stored(below), self.world.committed()
        return {
            start: Below(
                committed.get((below.name, start), ""),
                (below.name, start) in committed,
                {key: value for key, value in stored.items() if key[2] == start},
            )
            for start in (nanoseconds(window.start) for window in below.windows)
        }

    def _accuse(self, start: int, what: str) -> None:
        hour = (start - nanoseconds(self.pipeline.windows[0].start)) / 3.6e12
        self.world.problems.append(f"{self.name} {what}: {self.pipeline.name}@{hour:g}")


@dataclass(frozen=True, slots=True)
class Below:
    """A window of the tier below.

    :param commit: the claim of its last commit
    """

    commit: str
    is_committed: bool
    rows: Rows
