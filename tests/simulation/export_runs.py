"""Exports as a world has them, and what must be true of their table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.lifecycle.export.export import export
from airflow_provider_influx_rollup.lifecycle.export.spec import ExportSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.table import CommitPoints, ReadTable
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.archive_invariants import in_archive, shown
from tests.simulation.lines import Tags
from tests.simulation.pipelines import SPAN
from tests.simulation.points import span_of
from tests.simulation.runs import Run
from tests.simulation.world import World

TABLE = "/table"
EXPORT = ExportSpec(
    org="org",
    bucket="raw",
    measurement="m",
    shown_path="/archive",
    ledger_bucket="ledger",
    table=TABLE,
)
Points = dict[tuple[Tags, int], float]


@dataclass(kw_only=True)
class ExportTurns:
    """What an export may have found.

    :param archived: what was archived, at each of its steps
    :param seen: the version of the table that it has seen last, or made itself
    """

    world: World
    name: str
    archived: list[Points] = field(default_factory=list)
    seen: int | None = None

    def does(self, _step: Any) -> None:
        """A step is about to be acted out."""
        found = in_archive(self.world)
        if not self.archived or found != self.archived[-1]:
            self.archived.append(found)

    def looked(self, step: Any, answer: Any) -> None:
        """The answer of a step has come."""
        if isinstance(step, ReadTable):
            self.seen = answer.version

    def prepares(self, step: CommitPoints) -> None:
        """The files were read."""
        self.does(step)

    def commits(self, step: CommitPoints, version: int) -> None:
        """What the table has of an interval was archived at some moment, each point once."""
        world, span = self.world, span_of(step.interval)
        if step.seen != self.seen:
            world.problems.append(f"{self.name} commits over a version of the table that it has not seen")
        self.seen = version
        some = [
            ((tags, time), float(value))
            for tags, _, time, value in world.store.tables[TABLE].points
            if span[0] <= time < span[1]
        ]
        have = _unerased(world, dict(some), span)
        if len(dict(some)) != len(some):
            world.problems.append(f"{self.name} brings points in twice: {step.interval}")
        if have not in [_unerased(world, state, span) for state in self.archived]:
            world.problems.append(
                f"{self.name} commits {shown(have)} of {step.interval}, which was never archived"
            )

    def ends(self, error: Exception | None, result: Any) -> None:
        """It may end at any time."""


def _unerased(world: World, points: Points, span: tuple[int, int]) -> Points:
    return {
        key: value
        for key, value in points.items()
        if span[0] <= key[1] < span[1] and not world.is_erased(key[0])
    }


def export_run(world: World, name: str, span: Interval, info: RunInfo, clock: Clock) -> Run:
    """A run that has not begun."""
    turns = ExportTurns(world=world, name=name)
    return Run(world, name, lambda: export(EXPORT, span, info, clock), "export", turns=turns)


def exported_at_rest(world: World) -> list[str]:
    """After a quiet export the table has what is archived, each point once; another one changes nothing."""
    if not world.store.tables:
        return []
    commits = []
    for number in range(2):
        info = RunInfo(dag_id="dag", task_id="export", run_id=f"quiet {number}")
        run = export_run(world, "quiet export", SPAN, info, world.now)
        run.finish()
        if run.end != "ok":
            return [f"a quiet export fails: {run.end}"]
        commits.append(run.result.commits)
    if commits[1]:
        return [f"a second quiet export makes {commits[1]} commits"]
    return list(_wrong_table(world))


def _wrong_table(world: World) -> Iterator[str]:
    points = world.store.tables[TABLE].points
    have = {(tags, time): float(value) for tags, _, time, value in points}
    if len(points) != len(have):
        yield f"the table has {len(points) - len(have)} points twice"
    if have != in_archive(world):
        yield f"the table has {shown(have)}, and archived is {shown(in_archive(world))}"
