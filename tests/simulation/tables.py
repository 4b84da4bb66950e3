"""Tables of a lakehouse in memory: a commit counts only when nobody has committed since its history was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_influx_rollup.exceptions import ArchiveMismatch
from airflow_provider_influx_rollup.steps.store import FingerprintPart
from airflow_provider_influx_rollup.steps.table import CommitPoints, ReadTable, TableState
from tests.simulation.influx import SimulatedInflux
from tests.simulation.points import Point, span_of
from tests.simulation.store import STORE_ACTIONS, SimulatedStore, fingerprint_of, inside


@dataclass(slots=True)
class SimulatedTable:
    """A table.

    :param notes: what exports wrote to their commits
    :param points: each as often as it was brought in
    """

    version: int = 0
    notes: tuple[Mapping[str, Any], ...] = ()
    points: list[Point] = field(default_factory=list)

    def copy(self) -> SimulatedTable:
        return replace(self, points=list(self.points))


def read_table(store: SimulatedStore, step: ReadTable) -> TableState:
    """Its history."""
    table = store.tables.get(step.table.uri)
    return TableState(-1) if table is None else TableState(table.version, table.notes)


@dataclass(frozen=True, slots=True)
class BegunCommit:
    """A commit whose points were read.

    :param opened: the version of the table then; None: others had committed since its history was read
    """

    opened: int | None
    points: list[Point] = field(default_factory=list)


def begin_commit(store: SimulatedStore, step: CommitPoints) -> BegunCommit:
    """Open the table as its history was read, or make it, and read the files.

    :raises InfluxRollupError: when a file is not what its manifest says
    """
    table = store.tables.get(step.table.uri)
    if table is None:
        # it stays, without points, when the commit fails
        table = store.tables[step.table.uri] = SimulatedTable()
    elif table.version != step.seen:
        return BegunCommit(None)
    for path, digest in step.files:
        STORE_ACTIONS[FingerprintPart](store, SimulatedInflux(None), FingerprintPart(path, digest))  # type: ignore[arg-type]
    points = inside([point for path, _ in step.files for point in store.points(path)], step.interval)
    if fingerprint_of(points).total != step.expected:
        what = f"the files of {step.interval} are not what the manifest says"
        raise ArchiveMismatch(what, window=step.interval, written="nothing of it")
    return BegunCommit(table.version, points)


def commit_points(store: SimulatedStore, step: CommitPoints, begun: BegunCommit) -> int | None:
    """The version; None when somebody has committed since."""
    table = store.tables[step.table.uri]
    if table.version != begun.opened:
        return None
    start, stop = span_of(step.interval)
    left = [one for one in table.points if not (step.replaces and start <= one[2] < stop)]
    table.points = left + begun.points
    table.notes += (step.note,)
    table.version += 1
    return int(table.version)


TABLE_ACTIONS: dict[type[Any], Callable[[SimulatedStore, SimulatedInflux, Any], Any]] = {
    ReadTable: lambda store, _influx, step: read_table(store, step),
}
