"""A rollup that InfluxDB computes: killed or hung before each of its steps, it leaves nothing, and what is right stays right."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.rollup.native_record import computing_record_of
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.hung_scene import HOUR, HUNG, NEXT, Hanging, HungScene
from tests.scenes.native_rollup_scene import NATIVE, left_rows, left_tasks
from tests.scenes.rollup_runs import Place, make_place

pytestmark = pytest.mark.live

MAX_CUTS = 80
LONGEST_WAIT = 2.0
KINDS = ("new", "over", "swap")
# those of a task's life; the slow tests try all
STEPS = ("CreateTask", "StartRun", "FindRun", "StagedChains", "Delete", "DeleteTask")


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


def native_run(scene: HungScene, name: str, *, window: Any = HOUR, tries: int = 1, **options: Any) -> Hanging:
    """A run whose block tasks compute; it can be stopped before each of its steps."""
    run = RunInfo(dag_id="dag", task_id="task", run_id=name, try_number=tries)
    wanted = RollupOptions(execution="native", **options)
    steps = roll_up(scene.spec, window, run, scene.clock, options=wanted)

    def wait(span: timedelta) -> None:
        # for InfluxDB, whose time is not the scene's
        time.sleep(min(span.total_seconds(), LONGEST_WAIT))
        scene.clock.time += span

    return Hanging(scene.client, steps, wait)


def require_nothing_left(scene: HungScene, about: object) -> None:
    assert left_tasks(scene.place, scene.spec) == [], about
    assert left_rows(scene.place) == 0, about


def advance(run: Hanging, cut: int | str) -> bool:
    """Act out a number of steps, or all before the first of a kind; whether another one follows."""
    if isinstance(cut, int):
        return run.advance_to(cut)
    while type(run.pending).__name__ != cut:
        if not run.advance():
            return False
    return True


def die_at(scene: HungScene, cut: int | str, *, is_retry: bool) -> bool:
    """A run dies before a step; another try of it, or another run, does its window."""
    first = native_run(scene, "first")
    if not advance(first, cut):
        return False
    first.steps.close()
    scene.change()
    again = native_run(scene, "first" if is_retry else "other", tries=2)
    again.finish()
    about = (scene.kind, cut, is_retry, first.seen[-3:], str(again.error))
    assert again.error is None, about
    assert scene.is_committed(), about
    assert scene.is_right(), about
    require_nothing_left(scene, about)
    return True


def hang_at(scene: HungScene, cut: int | str, *, is_native: bool) -> bool:
    """A run hangs before a step while the source changes and another one does its window; then it goes on."""
    first = native_run(scene, "first")
    if not advance(first, cut):
        return False
    scene.change()
    other = (
        native_run(scene, "other", window=NEXT, heal="1d") if is_native else scene.hanging("heal", "other")
    )
    other.finish()
    first.finish()
    about = (scene.kind, cut, is_native, first.seen[-3:], str(first.error), str(other.error))
    assert other.error is None, about
    # a run that hung between its last look and its commit has committed in vain: the window is WRITING
    if scene.is_committed():
        assert scene.is_right(), about
    scene.clock.time += HUNG
    last = native_run(scene, "last")
    last.finish()
    assert last.error is None, about
    assert (scene.is_committed(), scene.is_right()) == (True, True), about
    require_nothing_left(scene, about)
    return True


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_a_killed_run_is_done_again(client: InfluxClient, place: Place, number: int) -> None:
    scene = HungScene(client, place, KINDS[number % 3])
    assert die_at(scene, STEPS[number], is_retry=bool(number % 2))


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_a_hung_run_spoils_nothing(client: InfluxClient, place: Place, number: int) -> None:
    scene = HungScene(client, place, KINDS[number % 3])
    assert hang_at(scene, STEPS[number], is_native=not number % 2)


def sums_put_aside(scene: HungScene) -> dict[str, float]:
    """What a task has computed for the window, by the device."""
    server = scene.place.server
    flux = f"""from(bucket: "{scene.place.ledger}") |> range(start: {HOUR.start.isoformat()}, stop: {HOUR.stop.isoformat()})
        |> filter(fn: (r) => r._measurement =~ /^rollup_computed/)"""
    rows = query(server.url, server.org, server.token, flux)
    sums = (2.0, 2.5, 10.75)
    return {
        row["device"]: row["_value"]
        for row in rows
        if isinstance(row["_value"], float) and row["_value"] in sums
    }


@pytest.mark.parametrize("is_committed_between", [False, True])
def test_a_triggerer_that_begins_again_computes_again_as_rows_put_aside_may_be_old(
    client: InfluxClient, place: Place, is_committed_between: bool
) -> None:
    scene = HungScene(client, place, "over")
    first = native_run(scene, "first")
    assert advance(first, "StagedChains")
    first.steps.close()
    assert sums_put_aside(scene) == {"a": 2.0, "b": 2.5}
    # the source has as many points as before
    scene.change()
    if is_committed_between:
        scene.run("rollup", "other")
        assert scene.is_right()
    # the rows are still there, and wrong
    assert sums_put_aside(scene) == {"a": 2.0, "b": 2.5}
    again = native_run(scene, "first")
    again.finish()
    assert (again.error, scene.is_committed(), scene.is_right()) == (None, True, True)
    require_nothing_left(scene, again.seen)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_any_step_may_be_the_last(client: InfluxClient, place: Place, kind: str) -> None:
    for is_retry in (True, False):
        for cut in range(1, MAX_CUTS):
            if not die_at(HungScene(client, place, kind), cut, is_retry=is_retry):
                assert cut > 15
                break


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_any_step_may_hang(client: InfluxClient, place: Place, kind: str) -> None:
    for is_native in (True, False):
        for cut in range(1, MAX_CUTS):
            if not hang_at(HungScene(client, place, kind), cut, is_native=is_native):
                assert cut > 15
                break


def test_a_task_of_another_window_is_removed_when_it_ended_long_ago(
    client: InfluxClient, place: Place
) -> None:
    scene = HungScene(client, place, "new")
    first = native_run(scene, "first")
    while "FindRun" not in first.seen:
        first.advance()
    first.steps.close()
    (task_id,) = left_tasks(place, scene.spec)

    def roll_next() -> None:
        run = RunInfo(dag_id="dag", task_id="task", run_id="next", try_number=1)
        drive(roll_up(scene.spec, NEXT, run, scene.clock, options=NATIVE), client, lambda _: None)

    roll_next()
    # its run may be alive
    assert left_tasks(place, scene.spec) == [task_id]
    named = client.tasks.find(f"influx-rollup computes {scene.spec.pipeline_name}")
    (task,) = [one for one in named if one.id == task_id]
    record = computing_record_of(task)
    assert record is not None
    assert record.interval == HOUR
    # after the real end of its run, whose times InfluxDB tells
    scene.clock.time = datetime.now(UTC) + HUNG
    roll_next()
    require_nothing_left(scene, "next")
