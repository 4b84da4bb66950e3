"""What a rollup by a script knows of whose turn it is, and what it must have done before it commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.flux.ledger_read import ClaimsOf
from airflow_provider_influx_rollup.flux.target_read import PointsThere
from airflow_provider_influx_rollup.steps.influx import Query, Write
from tests.simulation.lines import Line, parse_lines
from tests.simulation.plain_rows import sums_of
from tests.simulation.points import span_of
from tests.simulation.script_answers import SCRIPTED, window_of
from tests.simulation.world import ScriptRows, World


@dataclass(kw_only=True)
class ScriptTurns:
    """Of a rollup by a script.

    :param windows: starts of those that it is to commit
    :param claims: its own, by start of the window
    :param found: what the script has read its rows from, by start
    :param seen: who had a window when the run last looked, since it wrote
    :param generations: of each window then
    :param read_back: starts of windows whose rows it has looked for since it wrote
    """

    world: World
    name: str
    windows: Sequence[int]
    claims: dict[int, str] = field(default_factory=dict)
    found: dict[int, ScriptRows] = field(default_factory=dict)
    seen: dict[int, str] = field(default_factory=dict)
    generations: dict[int, int] = field(default_factory=dict)
    read_back: set[int] = field(default_factory=set)

    def prepares(self, step: Query) -> None:
        """The script has read."""
        start, stop = window_of(step)
        if start not in self.claims:
            self._accuse(start, "runs the script, and has not claimed the window")
        self.found[start] = sums_of(self.world.source, start, stop)
        self.world.scripted[self.claims.get(start, "")] = self.found[start]
        self.seen.pop(start, None)

    def writes(self, step: Query) -> None:
        """The script has written."""
        start, _ = window_of(step)
        now = self.world.records(("claimed_by",)).get((SCRIPTED, start), {}).get("claimed_by", "")
        if now != self.claims.get(start):
            # it has hung since it claimed it
            self.world.late[SCRIPTED, start] = now

    def looked(self, step: Any, _answer: Any) -> None:
        """The answer of a read has come."""
        if isinstance(step, ClaimsOf) and step.pipeline == SCRIPTED:
            first, last = span_of(step.interval)
            for (pipeline, start), values in self.world.records(("claimed_by", "generation")).items():
                if pipeline == SCRIPTED and first <= start < last:
                    self.seen[start] = values.get("claimed_by", "")
                    self.generations[start] = values.get("generation", 0)
        elif isinstance(step, PointsThere):
            self.read_back.add(span_of(step.interval)[0])

    def does(self, step: Any) -> None:
        """A step is about to be acted out that others see."""
        if isinstance(step, Write) and step.bucket == "ledger":
            for line in parse_lines(step.lines):
                tags = dict(line.tags)
                if line.measurement == "window_receipt" and tags["pipeline"] == SCRIPTED:
                    self._writes_receipt(line)

    def _writes_receipt(self, line: Line) -> None:
        start, fields = line.time_ns, dict(line.fields)
        if "committed_by" in fields:
            self._commits(start, fields)
        elif "claimed_by" in fields:
            self.claims[start] = str(fields["claimed_by"])
            self.world.claimed.append((SCRIPTED, start, self.name))
            self.read_back.discard(start)

    def _commits(self, start: int, fields: Mapping[str, Any]) -> None:
        rows = self.found.get(start)
        if rows is None:
            self._accuse(start, "commits what it has not run the script of")
        elif fields["rows_out"] != len(rows):
            self._accuse(start, f"commits {fields['rows_out']} rows, and the script has written {len(rows)}")
        if rows and start not in self.read_back:
            self._accuse(start, "commits, and has not looked whether its rows are there")
        if start not in self.seen:
            self._accuse(start, "commits, and has not looked who has the window since the script read")
        elif self.seen[start] != self.claims.get(start):
            self._accuse(start, "commits what it has seen claimed by another run")
        if fields["generation"] <= self.generations.get(start, 0):
            self._accuse(start, "commits a generation that it has seen committed")
        self.world.commits.add((SCRIPTED, start, self.name))

    def ends(self, error: Exception | None, result: Any) -> None:
        """A run that has ended well has committed all of its windows, or an earlier try of it has."""
        if error is None and result is not None:
            committed = {one.window.start_ns for one in result.receipts if one.is_committed}
            for start in self.windows:
                if start not in committed:
                    self._accuse(start, "ends well, and has not committed")

    def _accuse(self, start: int, what: str) -> None:
        self.world.problems.append(f"{self.name} {what}: {start}")


def scripted_rows(world: World) -> ScriptRows:
    """The rows that are there."""
    series = world.influx.buckets["rolled"].measurements.get(SCRIPTED, {})
    return {
        (tags, time): float(value)
        for (tags, name), values in series.items()
        if name == "temp"
        for time, value in values.items()
    }
