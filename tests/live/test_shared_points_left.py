"""Values that a run put aside and died: what brings them back never leaves a COMMITTED window of another pipeline wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Report, Write
from tests.conftest import InfluxServer
from tests.scenes.cuts import cut, may_change
from tests.scenes.plain_rows import stored_values
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now

pytestmark = pytest.mark.live

HOUR = interval("2025-03-08T00:00", "2025-03-08T01:00")
NUMBERS = count()
MAX_CUTS = 20


class Going:
    """A run that is acted out step by step."""

    def __init__(self, client: InfluxClient, steps: Any) -> None:
        self.client, self.steps = client, steps
        self.pending = next(steps)

    def advance(self) -> Any:
        """Act a step out; which it was."""
        done = self.pending
        answer = None if isinstance(done, Report) else act(done, self.client)
        try:
            self.pending = self.steps.send(answer)
        except StopIteration:
            self.pending = None
        return done

    def finish(self) -> None:
        while self.pending is not None:
            self.advance()


class Shared:
    """A measurement whose only device has sent points that are gone again, in the rows of two pipelines."""

    def __init__(self, client: InfluxClient, place: Place, *, is_new: bool = False) -> None:
        """:param is_new: the other pipeline never ran"""
        self.client = client
        self.place = replace(place, measurement=f"left_{next(NUMBERS)}")
        name, at = self.place.measurement, HOUR.start_ns
        lines = [f"{name},device={device} temp={k}.5 {at + k}" for k, device in enumerate("aab")]
        client.write_lines(self.place.source, lines)
        self.one = self.place.spec("1h", ("count", "sum"), fields=("temp",), pipeline=f"{name} one")
        self.other = self.place.spec("1h", ("max",), fields=("temp",), pipeline=f"{name} other")
        for spec in (self.one,) if is_new else (self.one, self.other):
            self.run(roll_up, spec)
        client.delete(self.place.source, HOUR, f'_measurement="{name}" AND device="a"')

    def run(self, verb: Any, spec: RollupSpec) -> Any:
        return drive(verb(spec, HOUR, RUN, now), self.client, lambda _: None)

    def run_until(self, verb: Any, spec: RollupSpec, last: Any) -> None:
        """A run that dies after a step."""
        steps = verb(spec, HOUR, RUN, now)
        step = next(steps)
        while True:
            answer = None if isinstance(step, Report) else act(step, self.client)
            if last(step):
                return
            step = steps.send(answer)

    def begun(self, verb: Any, spec: RollupSpec) -> Going:
        return Going(self.client, verb(spec, HOUR, replace(RUN, run_id=str(spec.pipeline)), now))

    def rows(self) -> dict[tuple[str, str], Any]:
        found = stored_values(self.place.server, self.place.target, self.place.measurement)
        return {(dict(tags)["device"], name): value for (tags, name, _), value in found.items()}

    def is_committed(self, spec: RollupSpec) -> bool:
        stored = stored_values(self.place.server, self.place.ledger, "window_receipt")
        mine = {
            name: value
            for (tags, name, _), value in stored.items()
            if dict(tags)["pipeline"] == spec.pipeline
        }
        return mine["state"] == "COMMITTED" and mine["claimed_by"] == mine["committed_by"]


def is_about_to_remove(step: Any) -> bool:
    return isinstance(step, Report) and step.message.startswith("Removing")


def claims(step: Any) -> bool:
    if isinstance(step, Gather):
        return any(map(claims, step.steps))
    return isinstance(step, Write) and any("claimed_by" in line for line in step.lines)


def puts_aside(step: Any) -> bool:
    return isinstance(step, Write) and any(line.startswith("ghost_survivors") for line in step.lines)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_stale_values_do_not_come_back_unseen_when_their_pipeline_removed_them_meanwhile(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    scene = Shared(client, place)
    scene.run_until(verb, scene.other, puts_aside)
    scene.run(reconcile, scene.one)
    assert ("a", "temp_sum") not in scene.rows()
    scene.run(verb, scene.other)
    assert ("a", "temp_sum") not in scene.rows() or not scene.is_committed(scene.one)
    scene.run(reconcile, scene.one)
    assert scene.rows() == {("b", "temp_count"): 1, ("b", "temp_sum"): 2.5, ("b", "temp_max"): 2.5}
    for spec in (scene.one, scene.other):
        assert scene.is_committed(spec)
        assert scene.run(reconcile, spec).is_clean


@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_values_come_back_and_their_window_stays_committed_when_nobody_else_has_written(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    scene = Shared(client, place)
    client.write_lines(place.source, [f"{scene.place.measurement},device=a other=1 {HOUR.start_ns}"])
    before = {key: value for key, value in scene.rows().items() if key[1] != "temp_max"}
    scene.run_until(verb, scene.other, lambda step: isinstance(step, Delete))
    assert ("a", "temp_sum") not in scene.rows()
    scene.run(verb, scene.other)
    assert {key: value for key, value in scene.rows().items() if key[1] != "temp_max"} == before
    assert scene.is_committed(scene.one)


@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_values_of_a_person_stay_when_two_runs_remove_stale_rows_of_their_point_at_once(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    scene = Shared(client, place)
    line = f'{scene.place.measurement},device=a note="by hand" {HOUR.start_ns}'
    client.write_lines(scene.place.target, [line])
    first, second = (scene.begun(verb, spec) for spec in (scene.other, scene.one))
    while not is_about_to_remove(second.advance()):
        pass
    while not isinstance(first.advance(), Delete):
        pass
    # the point is away: the second run reads it now, and deletes it when it is back
    while not isinstance(second.pending, Delete):
        second.advance()
    first.finish()
    second.finish()
    assert scene.rows()["a", "note"] == "by hand"
    for spec in (scene.one, scene.other):
        scene.run(reconcile, spec)
    right = {("b", "temp_count"): 1, ("b", "temp_sum"): 2.5, ("b", "temp_max"): 2.5, ("a", "note"): "by hand"}
    assert scene.rows() == right


@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_values_of_a_person_stay_when_a_run_goes_on_and_dies_whose_window_another_one_has_taken_over(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    scene = Shared(client, place)
    line = f'{scene.place.measurement},device=a note="by hand" {HOUR.start_ns}'
    client.write_lines(scene.place.target, [line])
    first = scene.begun(verb, scene.other)
    while not puts_aside(first.advance()):
        pass
    scene.run(roll_up, scene.other)
    done = None
    while first.pending is not None and not (isinstance(done, Delete) and done.bucket == scene.place.target):
        done = first.advance()
    for spec in (scene.one, scene.other):
        scene.run(reconcile, spec)
    right = {("b", "temp_count"): 1, ("b", "temp_sum"): 2.5, ("b", "temp_max"): 2.5, ("a", "note"): "by hand"}
    assert scene.rows() == right


@pytest.mark.parametrize("is_new", [True, False], ids=["that begins", "that is known"])
@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_window_of_another_pipeline_is_right_or_torn_when_it_runs_while_points_are_removed(
    client: InfluxClient, place: Place, verb: Any, is_new: bool
) -> None:
    # before each of its changes; tests/simulation/test_neighbours.py has the cuts between its reads
    for number in range(MAX_CUTS):
        scene = Shared(client, place, is_new=True)
        if not is_new:
            scene.run(roll_up, scene.other)
        first = scene.begun(verb, scene.one)
        while not is_about_to_remove(first.advance()):
            pass
        if not cut(first, may_change, number) or first.pending is None:
            assert number > (1 if is_new else 3)
            return
        client.write_lines(place.source, [f"{scene.place.measurement},device=a temp=9.5 {HOUR.start_ns}"])
        scene.run(roll_up, scene.other)
        first.finish()
        assert scene.rows().get(("a", "temp_max")) == 9.5 or not scene.is_committed(scene.other), number
        for spec in (scene.one, scene.other):
            scene.run(reconcile, spec)
        right = {("b", "temp_count"): 1, ("b", "temp_sum"): 2.5, ("b", "temp_max"): 2.5}
        right |= {("a", "temp_count"): 1, ("a", "temp_sum"): 9.5, ("a", "temp_max"): 9.5}
        assert scene.rows() == right, number
    pytest.fail("it never ends")


@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_values_of_a_person_come_back_when_a_run_dies_that_began_after_the_plan_of_the_next_one(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    scene = Shared(client, place)
    line = f'{scene.place.measurement},device=a note="by hand" {HOUR.start_ns}'
    client.write_lines(place.source, [f"{scene.place.measurement},device=a other=1 {HOUR.start_ns}"])
    client.write_lines(scene.place.target, [line])
    planned = scene.begun(verb, scene.other)
    while not claims(planned.pending):
        planned.advance()
    scene.run_until(verb, scene.other, lambda step: isinstance(step, Delete))
    assert ("a", "note") not in scene.rows()
    planned.finish()
    right = {("b", "temp_count"): 1, ("b", "temp_sum"): 2.5, ("b", "temp_max"): 2.5, ("a", "note"): "by hand"}
    scene.run(reconcile, scene.one)
    assert scene.rows() == right
    assert scene.is_committed(scene.other)


@pytest.mark.parametrize("verb", [roll_up, reconcile], ids=["rollup", "reconcile"])
def test_stale_values_do_not_come_back_unseen_by_a_third_pipeline_when_a_run_dies_before_it_forgets_them(
    client: InfluxClient, place: Place, verb: Any
) -> None:
    scene = Shared(client, place, is_new=True)
    third = scene.place.spec("1h", ("min",), fields=("temp",), pipeline=f"{scene.place.measurement} third")
    client.write_lines(place.source, [f"{scene.place.measurement},device=a temp=9.5 {HOUR.start_ns}"])
    for spec in (scene.one, scene.other, third):
        scene.run(roll_up, spec)
    client.delete(place.source, HOUR, f'_measurement="{scene.place.measurement}" AND device="a"')
    dying = scene.begun(verb, scene.one)
    while not (isinstance(dying.pending, Delete) and dying.pending.measurement == "ghost_survivors"):
        dying.advance()
    scene.run(verb, scene.other)
    assert ("a", "temp_max") not in scene.rows()
    assert scene.is_committed(scene.other)
    scene.run(verb, third)
    assert ("a", "temp_max") not in scene.rows() or not scene.is_committed(scene.other)
    for spec in (scene.one, scene.other, third, scene.other):
        scene.run(reconcile, spec)
    assert {key for key in scene.rows() if key[0] == "a"} == set()
    assert all(scene.is_committed(spec) for spec in (scene.one, scene.other, third))
