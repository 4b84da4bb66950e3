"""A purge that ends between its mark and its delete: what it said is taken back, or a rerun goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    InfluxForbidden,
    InfluxRollupError,
    InfluxUnavailable,
    QueryFailed,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.purge_scene import (
    ARCHIVED_AT,
    PURGED_AT,
    WINDOW,
    PurgeScene,
    Stepper,
    inside,
    make_empty_scene,
    make_purge_scene,
)

pytestmark = pytest.mark.live

CUTS = [
    pytest.param(True, id="two cuts"),
    pytest.param(False, id="every cut", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
]


def points_left(scene: PurgeScene) -> int:
    """Points of the window in the bucket."""
    return sum(WINDOW.start_ns <= fact[0] < WINDOW.stop_ns for fact in scene.facts())


def at_the_mark(influx: InfluxServer, client: InfluxClient, base: Path) -> Stepper:
    """A purge of a scene of its own that has just said what it will delete."""
    scene = make_purge_scene(influx, client, base)
    stepper = Stepper(scene, scene.purge_steps())
    while not scene.purge_document():
        stepper.advance()
    return stepper


def steppers_after_the_mark(
    influx: InfluxServer, client: InfluxClient, base: Path, *, only_last: bool
) -> list[Stepper]:
    """Purges of scenes of their own, stopped before each step from the mark to the delete, that one included.

    :param only_last: only those before the first and the last of these steps
    """
    made = [at_the_mark(influx, client, base / "first")]
    if only_last:
        last = at_the_mark(influx, client, base / "last")
        while not isinstance(last.pending, Delete):
            last.advance()
        return [*made, last]
    for skipped in range(1, 40):
        stepper = at_the_mark(influx, client, base / str(skipped))
        stepper.advance_to(skipped)
        made.append(stepper)
        if isinstance(stepper.pending, Delete):
            return made
    pytest.fail("no delete came")


def end_with(stepper: Stepper, error: Exception) -> None:
    """Let the next step fail, and act out what the purge does then."""
    stepper.fail(error)
    stepper.finish()


@pytest.mark.recorded("two cuts")
@pytest.mark.parametrize("only_last", CUTS)
def test_mark_is_taken_back_when_an_error_is_permanent(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, *, only_last: bool
) -> None:
    for stepper in steppers_after_the_mark(influx, client, tmp_path, only_last=only_last):
        scene = stepper.scene
        error = (
            QueryFailed("the query failed") if stepper.seen[-1] != "Delete" else InfluxForbidden("no right")
        )
        with pytest.raises(type(error)) as caught:
            end_with(stepper, error)
        assert (caught.value.written or "").startswith("this run has deleted no point of the window")
        assert scene.mark_states() == ["lifted"], stepper.seen
        assert scene.purge_document() == {}, stepper.seen
        assert points_left(scene) == len(inside())
        # nothing is left that a rerun would go on with, or a rollup would stop at
        scene.roll(scene.hourly, WINDOW)
        assert scene.purge(now=PURGED_AT + timedelta(hours=1))["rows_in"] == len(inside())
        scene.require_chain()


@pytest.mark.recorded("two cuts")
@pytest.mark.parametrize("only_last", CUTS)
def test_rerun_goes_on_when_an_error_passes(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, *, only_last: bool
) -> None:
    for stepper in steppers_after_the_mark(influx, client, tmp_path, only_last=only_last):
        scene = stepper.scene
        has_asked = isinstance(stepper.pending, Delete)
        with pytest.raises(InfluxUnavailable) as caught:
            end_with(stepper, InfluxUnavailable("no answer"))
        told = (
            "some or all points may be deleted"
            if has_asked
            else "this run has deleted no point of the window"
        )
        assert (caught.value.written or "").startswith(told)
        assert scene.mark_states() == ["deleting"], stepper.seen
        # a delete that was not answered may still come
        assert len(list(scene.folder.rglob("deletes/*"))) == has_asked
        assert scene.purge(now=PURGED_AT + timedelta(hours=1))["rows_in"] == len(inside())
        assert (scene.mark_states(), points_left(scene)) == (["purged"], 0)
        assert len(scene.certificates()) == 1


def test_month_is_purged_when_a_pipeline_that_is_not_required_has_windows_of_a_second(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    scene = make_empty_scene(influx, client, tmp_path)
    scene.add(*inside())
    scene.roll(scene.hourly, WINDOW)
    seconds = replace(scene.hourly, grid=GridSpec("1s"), pipeline="seconds", target_measurement="seconds")
    minute = Interval(WINDOW.start, WINDOW.start + timedelta(minutes=1))
    scene.roll(seconds, minute)
    month = Interval(WINDOW.start.replace(day=1), WINDOW.start.replace(month=4, day=1))
    scene.clock = ARCHIVED_AT
    scene.archive(month)
    assert scene.purge(month, require_pipelines=())["rows_in"] == len(inside())
    assert scene.mark_states() == ["purged"]
    with pytest.raises(InfluxRollupError, match="were purged"):
        scene.roll(seconds, minute)
