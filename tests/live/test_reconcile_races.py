"""Reconciles that die after any write, and points that land between any two steps of one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.reconcile.block_size import BlockSizer
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Write
from airflow_provider_influx_rollup.steps.step import Step
from tests.conftest import InfluxServer
from tests.oracle import compare, rollup, windows
from tests.scenes.cuts import touches
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import RUN, TAGS, Place, interval, make_place, make_points, now, roll

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T02:00")
HOURS = windows("2025-03-08", "2025-03-08T02:00", "1h")
RULES = {"temp": ("count", "sum", "last")}
NUMBERS = itertools.count()
MAX_STEPS = 60


@dataclass
class Scene:
    """A target that is wrong in several ways, with a field of another pipeline in a row that has to go."""

    place: Place
    points: pd.DataFrame
    target: str

    @property
    def spec(self) -> Any:
        """The rollup."""
        return self.place.spec("1h", RULES, target_measurement=self.target, pipeline=self.target)

    def plant(self) -> None:
        """A late point, a ghost, and a row that is gone."""
        self.land_a_point()
        ghost = f'{self.target},device=ghost temp_count=9i,temp_kept="theirs" {SPAN.start_ns}'
        self.place.client.write_lines(self.place.target, [ghost])
        second_hour = interval("2025-03-08T01:00", "2025-03-08T01:00:00.000001")
        self.place.client.delete(
            self.place.target, second_hour, f'_measurement="{self.target}" AND "device"="a-1"'
        )

    def land_a_point(self) -> None:
        """A new point in the first window, at a time of its own."""
        number = next(NUMBERS)
        moment = pd.Timestamp("2025-03-08T00:31", tz="UTC") + pd.Timedelta(microseconds=number)
        row = self.points.iloc[[0]].assign(_time=moment, temp=100.0 + number)
        self.points = pd.concat([self.points, row], ignore_index=True)
        self.place.write(row, ("temp",))

    def differences(self) -> list[str]:
        """What the target holds otherwise, but for the other pipeline's field."""
        stored = self.place.stored(self.target)
        return compare(stored[stored["_field"] != "temp_kept"], rollup(self.points, TAGS, HOURS, RULES))

    def has_kept_field(self) -> bool:
        """Whether the other pipeline's field is there."""
        return "temp_kept" in self.place.stored(self.target)["_field"].tolist()

    def states(self) -> set[str]:
        """States of the windows in the ledger."""
        return set(self.place.states(self.target).values())


@pytest.fixture(scope="module")
def scenes(influx: InfluxServer, client: InfluxClient) -> Iterator[Scene]:
    """One fresh target after another over the same source."""
    place = make_place(influx, client)
    points = make_points("2025-03-08", "2025-03-08T02:00", 900)
    points = points[points["device"].isin(["a-1", "b 2"])]
    place.write(points, ("temp",))

    def make() -> Iterator[Scene]:
        known = points
        while True:
            scene = Scene(place, known, f"target_{next(NUMBERS)}")
            roll(client, scene.spec, SPAN)
            scene.plant()
            yield scene
            known = scene.points

    return make()


def run(
    scene: Scene, before_step: Callable[[int, Step], bool], max_windows: int | None = None
) -> ReconcileResult | None:
    """Act a reconcile out; it dies where ``before_step`` says so."""
    steps = reconcile(scene.spec, SPAN, RUN, now, max_windows=max_windows)
    answer: Any = None
    number = 0
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result: ReconcileResult = end.value
            return result
        answer = None
        if isinstance(step, Report):
            continue
        if not before_step(number, step):
            steps.close()
            return None
        answer = act(step, scene.place.client)
        number += 1


def test_next_reconcile_makes_all_right_when_one_died_before_any_of_its_writes(
    scenes: Iterator[Scene],
) -> None:
    torn = 0
    for most_writes in range(MAX_STEPS):
        scene = next(scenes)
        left = iter(range(most_writes))

        def goes_on(_number: int, step: Step, left: Iterator[int] = left) -> bool:
            return not isinstance(step, Write | Delete) or next(left, None) is not None

        if run(scene, goes_on) is not None:
            break
        torn += "WRITING" in scene.states()
        result = sweep(scene.place.client, scene.spec, SPAN)
        assert result["is_clean"], most_writes
        assert scene.differences() == [], most_writes
        assert scene.has_kept_field(), most_writes
        assert scene.states() == {"COMMITTED"}, most_writes
    assert 5 < most_writes < MAX_STEPS - 1
    assert torn > 3
    assert scene.differences() == []


def test_target_is_right_when_a_point_lands_between_any_two_steps(scenes: Iterator[Scene]) -> None:
    ran_anew = 0
    for boundary in range(MAX_STEPS):
        scene = next(scenes)
        landed: list[int] = []
        touched: list[Step] = []

        def lands(
            number: int,
            step: Step,
            scene: Scene = scene,
            at: int = boundary,
            landed: list[int] = landed,
            touched: list[Step] = touched,
        ) -> bool:
            if len(touched) == at and not landed:
                scene.land_a_point()
                landed.append(number)
            touched += [step] * touches(step, scene.place.source)
            return True

        result = run(scene, lands)
        assert result is not None
        if not landed:
            break
        assert scene.states() == {"COMMITTED"}, boundary
        if scene.differences():
            ran_anew += 1
            assert sweep(scene.place.client, scene.spec, SPAN)["dirty_total"] == 1
            assert scene.differences() == [], boundary
    assert 4 < boundary < MAX_STEPS - 1
    # only what landed after the last look is left for the next one
    assert ran_anew < boundary / 2


def test_reconcile_ends_and_the_next_one_finds_the_rest_when_points_never_stop_coming(
    scenes: Iterator[Scene],
) -> None:
    scene = next(scenes)

    def keeps_coming(_number: int, _step: Step) -> bool:
        scene.land_a_point()
        return True

    result = run(scene, keeps_coming)
    assert result is not None
    assert [window.start for window in result.repaired.unsettled] == [SPAN.start]
    assert not result.is_clean
    assert any("points kept coming" in note for note in result.notes)
    # a point that landed between the reads of two columns may be in one of them alone
    states = scene.place.states(scene.target)
    first = SPAN.start.isoformat()
    assert {start: state for start, state in states.items() if state != "COMMITTED"} == {first: "WRITING"}
    again = sweep(scene.place.client, scene.spec, SPAN)
    assert [change["reasons"] for change in again["dirty"]] == [["never committed"]]
    assert scene.states() == {"COMMITTED"}
    assert scene.differences() == []
    assert sweep(scene.place.client, replace(scene.spec), SPAN)["dirty"] == []


def test_windows_that_keep_changing_count_among_those_that_are_repaired(
    scenes: Iterator[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlockSizer, "size", lambda _: 1)
    scene = next(scenes)

    def keeps_coming(_number: int, _step: Step) -> bool:
        scene.land_a_point()
        return True

    result = run(scene, keeps_coming, max_windows=1)
    assert result is not None
    assert [window.start for window in result.repaired.unsettled] == [SPAN.start]
    assert (result.repaired.windows, result.remaining) == ([], 1)


def test_windows_that_are_no_neighbours_are_repaired_when_only_the_one_between_them_has_points_left(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = replace(make_place(influx, client), measurement="between")
    span = interval("2025-03-08", "2025-03-08T03:00")
    hours = [interval(f"2025-03-08T0{hour}:00", f"2025-03-08T0{hour + 1}:00") for hour in range(3)]
    client.write_lines(place.source, [f"between,device=a temp=1.5 {hour.start_ns}" for hour in hours])
    spec = place.spec("1h", ("median",), fields=("temp",), pipeline="between")
    roll(client, spec, span)
    for hour in (hours[0], hours[2]):
        client.delete(place.source, hour, '_measurement="between"')
    assert sweep(client, spec, span)["dirty_total"] == 2
    assert place.stored("between")["_time"].tolist() == [hours[1].start_ns]
    assert sweep(client, spec, span)["dirty"] == []
