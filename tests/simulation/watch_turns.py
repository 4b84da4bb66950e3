"""What deadman checks and sensors may say: what was so at some moment while they looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.steps.influx import Write
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import Line, Tags, parse_lines
from tests.simulation.pipelines import HOUR_NS
from tests.simulation.plain_watch import RETIRED, PlainDeadman, PlainSensor
from tests.simulation.points import span_of
from tests.simulation.world import NEXT_TRY, STATUSES, World

#: by how much clocks of workers differ
SKEW = timedelta(seconds=10)
#: fields of a receipt that say what the source lacks
MARK = frozenset(("incomplete", "complete_when"))


@dataclass(kw_only=True)
class _Watching:
    """What is known of a look.

    :param span: what is looked at
    :param began: how long the history was when the look began
    """

    world: World
    name: str
    span: tuple[int, int]
    began: int | None = None

    @property
    def versions(self) -> range:
        """Of the source, while it looks."""
        last = len(self.world.history)
        return range(last - 1 if self.began is None else self.began, last)

    def accuse(self, what: str) -> None:
        self.world.problems.append(f"{self.name} {what}")


@dataclass(kw_only=True)
class DeadmanTurns(_Watching):
    """Of a deadman check."""

    plain: PlainDeadman

    def does(self, step: Any) -> None:
        """A step is about to be acted out."""
        if self.began is None:
            self.began = len(self.world.history) - 1
        if not isinstance(step, Write) or step.bucket != STATUSES:
            return
        told = {}
        for line in parse_lines(step.lines):
            if series := series_of_status(line.tags):
                told[series] = dict(line.tags)["_level"]
        states = [self.plain.levels(self.world.history[version], *self.span) for version in self.versions]
        for series, level in told.items():
            known = {state.get(series) for state in states}
            if level not in known and not (level == RETIRED and None in known):
                self.accuse(f"says {level} of {series}, which was {known}")

    def looked(self, step: Any, answer: Any) -> None:
        """The answer of a step has come."""

    def ends(self, error: Exception | None, result: Any) -> None:
        """All series are spoken of that were there all the time."""
        if error is not None or result is None:
            return
        states = [self.plain.levels(self.world.history[version], *self.span) for version in self.versions]
        dead = {one.series for one in result.dead}
        retired = {one.series for one in result.retired}
        for series in {series for state in states for series in state}:
            known = {state.get(series) for state in states}
            if known == {"crit"} and series not in dead:
                self.accuse(f"does not say that {series} is dead")
            if series in dead and "crit" not in known:
                self.accuse(f"says that {series} is dead")
            if series in retired and not known & {RETIRED, None}:
                self.accuse(f"says that {series} is retired")


@dataclass(kw_only=True)
class SensorTurns(_Watching):
    """Of a sensor.

    :param upstream: the pipeline that must have COMMITTED the windows
    :param quiet_seconds: for how long no point may have come
    :param is_committed: whether it had, at some moment of the look
    :param looked_at: the clock when the look began
    :param committed: what was COMMITTED before its last write
    :param known: pipeline and start of the windows that had a receipt when it last read them
    """

    plain: PlainSensor
    upstream: str = ""
    quiet_seconds: int = 0
    is_committed: bool = False
    looked_at: datetime | None = None
    committed: dict[tuple[str, int], str] = field(default_factory=dict)
    known: set[tuple[str, int]] = field(default_factory=set)

    def looks(self) -> None:
        """It begins to look, or looks again."""
        self.began = len(self.world.history) - 1
        self.is_committed = False
        self.looked_at = self.world.clock

    def does(self, step: Any) -> None:
        """A step is about to be acted out."""
        if self.upstream and not self.is_committed:
            committed = self.world.committed()
            self.is_committed = all((self.upstream, start) in committed for start in self._starts())
        if isinstance(step, Write) and step.bucket == "ledger":
            self.committed = self.world.committed()
            for line in parse_lines(step.lines):
                self._writes(line)

    def looked(self, step: Any, answer: Any) -> None:
        """The answer of a step has come."""
        if isinstance(step, Write) and step.bucket == "ledger":
            left = self.world.committed()
            undone = [key for key in self.committed if key not in left]
            if undone:
                self.accuse(f"undoes what others have COMMITTED: {sorted(undone)}")
        elif isinstance(step, ReceiptsOf):
            start, stop = span_of(step.interval)
            found = self.world.records(("state",))
            self.known = {key for key in found if key[0] == step.pipeline and start <= key[1] < stop}

    def _writes(self, line: Line) -> None:
        """A receipt that it has read is another one by now, maybe: it is marked, and else left as it is."""
        more = {name for name, _ in line.fields} - MARK
        key = dict(line.tags).get("pipeline", ""), line.time_ns
        if line.measurement == "window_receipt" and key in self.known and more:
            self.accuse(f"marks a window, and writes {sorted(more)} of its receipt")

    def ends(self, error: Exception | None, result: Any) -> None:
        """What it says was so."""
        if error is not None or result is None:
            return
        told = _starts_of(result.as_json())
        history = self.world.history
        if not any(
            self.plain.lacking(history[before], history[version], self.span, HOUR_NS) == told
            for version in self.versions
            for before in (range(self.versions.start, version + 1) if self.plain.is_seen_before else (0,))
        ):
            self.accuse(f"says that these lack something: {sorted(told)}, which was never so")
        if self.upstream and not self.is_committed:
            self.accuse(f"is ready, and {self.upstream} has not COMMITTED all windows")
        if self.quiet_seconds and self.world.is_monotone and not self._was_quiet():
            self.accuse("says that no point came for some time, and one did")

    def _was_quiet(self) -> bool:
        """Whether no point came to the windows for so long, at some moment of the look."""
        assert self.looked_at is not None
        # the clock of a next try is ahead of that of the world, which its run has not moved
        skew = SKEW + NEXT_TRY if self.world.has_own_clocks else SKEW
        since = self.looked_at - timedelta(seconds=self.quiet_seconds) + skew
        history = self.world.history
        for version in range(1, self.versions.start + 1):
            changed = history[version].keys() ^ history[version - 1].keys()
            is_in = any(self.span[0] <= time < self.span[1] for _, time in changed)
            if is_in and self.world.changed_at[version] > since:
                return False
        return True

    def _starts(self) -> range:
        return range(*self.span, HOUR_NS)


def series_of_status(tags: Tags) -> Tags:
    """The tags of the series that a status is of."""
    return tuple(tag for tag in tags if not tag[0].startswith("_"))


def _starts_of(told: Mapping[str, Any]) -> set[int]:
    return {nanoseconds(datetime.fromisoformat(one["window"]["start"])) for one in told["incomplete"]}
