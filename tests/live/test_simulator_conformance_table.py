"""What the simulator of ``tests/simulation`` does with the table of an export is what a Delta table does, on random commits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.fingerprint import Total
from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.flux.archive import PointsOf
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.store import FingerprintPoints, WriteParts
from airflow_provider_influx_rollup.steps.table import CommitPoints, ReadTable, TableAt
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.live.test_export import log_files, table_points
from tests.live.test_simulator_conformance import HOURS, SETTINGS, SPAN, changed, changes
from tests.scenes.archive_scene import Point, facts_of
from tests.scenes.rollup_runs import Place, make_place
from tests.simulation.conformance import Both, error_of
from tests.simulation.store import KINDS, SimulatedStore
from tests.simulation.tables import TABLE_ACTIONS, begin_commit, commit_points

pytestmark = pytest.mark.live

TAGS = ("device", "site")
# of a commit: all as it must be; a file that is another one, or is gone; points that are not the manifest's
FLAWS = ("", "", "", "", "hash", "file", "points")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit that an export may ask for.

    :param files: which ones
    :param late: how many commits came since the history was read, or a version that never was
    """

    files: str
    interval: Interval
    late: int
    replaces: bool
    flaw: str


commits = st.lists(
    st.builds(
        Commit,
        files=st.sampled_from("ab"),
        interval=st.sampled_from([SPAN, *HOURS]),
        late=st.sampled_from((0, 0, 0, 1, -1)),
        replaces=st.booleans(),
        flaw=st.sampled_from(FLAWS),
    ),
    min_size=1,
    max_size=6,
)


@dataclass(frozen=True)
class Sides:
    """The two stores.

    :param parts: files of each store, by name
    """

    both: Both
    real: ArchiveStore
    simulated: SimulatedStore
    table: TableAt
    parts: dict[str, tuple[list[Part], list[Part]]]

    def write(self, bucket: str, name: str) -> None:
        """Files of all points that are there."""
        query = PointsOf(bucket=bucket, measurement=self.both.measurement, interval=SPAN)
        step = WriteParts((query,), "gen", name, TAGS)
        self.parts[name] = self.really(step), self.simulated.act(self.both.simulated, step)

    def really(self, step: Any) -> Any:
        """The answer of the real store, or its error."""
        try:
            return act(step, self.both.client, actions_with(self.real))
        except InfluxRollupError as error:
            return error

    def read(self) -> Any:
        """The history that both tell."""
        step = ReadTable(self.table)
        real, mine = self.really(step), TABLE_ACTIONS[ReadTable](self.simulated, self.both.simulated, step)
        assert mine == real
        return real

    def commit(self, wanted: Commit, number: int) -> Any:
        """What both answer."""
        state = self.read()
        step = CommitPoints(
            table=self.table,
            seen=state.version - wanted.late,
            files=(),
            interval=wanted.interval,
            tags=TAGS,
            replaces=wanted.replaces,
            expected=Total(0, ""),
            note={"number": number},
        )
        real, mine = self.parts[wanted.files]
        answer = self.really(self._of_files(step, wanted.flaw, real, self.really))
        try:
            own = self._of_files(
                step, wanted.flaw, mine, lambda one: self.simulated.act(self.both.simulated, one)
            )
            found: Any = commit_points(self.simulated, own, begin_commit(self.simulated, own))
        except InfluxRollupError as error:
            found = error
        told = [one if not isinstance(one, Exception) else error_of(one) for one in (answer, found)]
        assert told[1] == told[0], (wanted, step.seen, answer, found)
        return told[0]

    def _of_files(self, step: CommitPoints, flaw: str, parts: list[Part], ask: Any) -> CommitPoints:
        files = tuple((f"gen/{part.name}", part.sha256) for part in parts)
        total = ask(FingerprintPoints(tuple(path for path, _ in files), step.interval)).total
        if flaw == "points":
            total = replace(total, rows=total.rows + 1)
        if flaw == "hash":
            files = tuple((path, "0" * 64) for path, _ in files)
        if flaw == "file":
            files = (*files, ("gen/float-gone.parquet", "0" * 64))
        return replace(step, files=files, expected=total)

    def require_equal_points(self) -> None:
        """What the real table holds, by DuckDB, is what the simulated one holds."""
        uri = self.table.uri
        held = table_points(Path(uri)) if log_files(Path(uri)) else []
        mine = self.simulated.tables[uri].points if uri in self.simulated.tables else []
        assert (
            facts_of(Point(at, tags, name, KINDS[type(value)], value) for tags, name, at, value in mine)
            == held
        )


@pytest.fixture(scope="module")
def place(influx: Any, client: InfluxClient) -> Place:
    return make_place(influx, client)


@given(some=changes, more=changes, wanted=commits)
@SETTINGS
def test_tables_of_exports_are_equal(
    client: InfluxClient,
    place: Place,
    tmp_path_factory: pytest.TempPathFactory,
    some: list[Any],
    more: list[Any],
    wanted: list[Commit],
) -> None:
    both = changed(client, place.source, some)
    folder = tmp_path_factory.mktemp("table")
    table = TableAt(str(folder / "table"), "points of an archive")
    sides = Sides(both, ArchiveStore.of_url(str(folder / "archive")), SimulatedStore(), table, {})
    sides.write(place.source, "a")
    for change in more:
        if isinstance(change, str):
            both.do(Write(place.source, (both.measurement + change,)))
    sides.write(place.source, "b")
    for number, one in enumerate(wanted):
        sides.commit(one, number)
        sides.require_equal_points()
    sides.read()
