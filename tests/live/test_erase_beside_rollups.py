"""Windows that are rolled up for the first time while series are erased: their receipts tell of the rows that are left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import SourceChanging
from airflow_provider_influx_rollup.flux.erase import PointEdges
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, point
from tests.scenes.cuts import cut, may_change
from tests.scenes.erase_scene import ERASED_AT, HOURS, EraseScene, Going, make_erase_scene
from tests.scenes.purge_scene import HOUR

pytestmark = pytest.mark.live

MAX_CUTS = 45


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    made = make_erase_scene(influx, client, tmp_path)
    made.add(*(point(hour * HOUR + 1, {"customer": "7"}, "temp", 7.0) for hour in range(2)))
    return made


def next_erasure(scene: EraseScene, number: int) -> Going:
    """An erasure that is about to begin of a customer who has rows of the first hour, and none of the second one yet."""
    scene.tags = {"customer": f"c{number}"}
    scene.add(point(number + 2, scene.tags, "temp", float(number)))
    scene.roll(scene.hourly, HOURS[0])
    scene.archive(HOURS[0])
    scene.add(*(point(HOUR + number + 2 + n, scene.tags, "temp", float(n)) for n in range(3)))
    return Going(scene, scene.erase_steps())


def cuts(scene: EraseScene) -> Iterator[Going]:
    """An erasure of another customer each time, stopped before one more of the steps that change something."""
    for number in range(MAX_CUTS):
        stepper = next_erasure(scene, number)
        if not cut(stepper, may_change, number) or stepper.pending is None:
            assert number > 8
            return
        yield stepper
    pytest.fail("the erasure has more steps than there are customers")


def require_right(scene: EraseScene) -> None:
    """Nothing of the customer is left, and receipts have the numbers of what is there."""
    rows, points = scene.rows(scene.rolled, "m"), scene.rows()
    assert not [row for row in (*rows, *points) if set(scene.tags.items()) <= set(row[1])]
    for number, receipt in enumerate(scene.receipt_rows("hourly").values()):
        start, stop = (int(one.timestamp()) * 10**9 for one in (HOURS[number].start, HOURS[number].stop))
        here = [row for row in rows if row[0] == start]
        assert receipt["state"] == "COMMITTED"
        assert int(receipt["rows_out"]) == len(here)
        assert int(receipt["series"]) == len({row[1] for row in here})
        assert int(receipt["rows_in"]) == len([row for row in points if start <= row[0] < stop])


def test_receipts_are_right_when_a_window_is_committed_before_any_step(scene: EraseScene) -> None:
    for stepper in cuts(scene):
        scene.roll(scene.hourly, HOURS[1])
        stepper.finish()
        require_right(scene)


def advance_to(stepper: Going, kind: type[Any], bucket: str) -> None:
    """Go on until a step of a kind is next that changes a bucket."""
    while not (isinstance(stepper.pending, kind) and stepper.pending.bucket == bucket):
        assert stepper.advance()


def test_receipts_are_right_when_a_run_that_has_read_its_rows_back_commits_after_they_are_deleted(
    scene: EraseScene,
) -> None:
    erasure = next_erasure(scene, 0)
    advance_to(erasure, Delete, scene.bucket)
    run = Going(scene, roll_up(scene.hourly, HOURS[1], RUN, lambda: ERASED_AT))
    advance_to(run, Write, scene.ledger)
    run.advance()
    advance_to(run, Write, scene.ledger)
    advance_to(erasure, Delete, scene.rolled)
    erasure.advance()
    run.finish()
    erasure.finish()
    require_right(scene)


def test_receipts_are_right_when_a_window_is_committed_while_its_rows_are_looked_for(
    scene: EraseScene,
) -> None:
    erasure = next_erasure(scene, 0)
    advance_to(erasure, Delete, scene.bucket)
    while not (isinstance(erasure.pending, PointEdges) and erasure.pending.source.bucket == scene.rolled):
        assert erasure.advance()
    while isinstance(erasure.pending, PointEdges):
        assert erasure.advance()
    # what the look goes on with ends before these rows
    scene.add(point(HOUR + 20, scene.tags, "temp", 20.0))
    Going(scene, roll_up(scene.hourly, HOURS[1], RUN, lambda: ERASED_AT)).finish()
    erasure.finish()
    require_right(scene)


def test_receipts_are_right_when_another_pipeline_runs_for_the_first_time_before_its_rows_are_deleted(
    scene: EraseScene,
) -> None:
    """It is not known when the erasure begins, and writes to the points of one that is."""
    erasure = next_erasure(scene, 0)
    advance_to(erasure, Delete, scene.bucket)
    scene.roll(replace(scene.hourly, pipeline="other", aggregates={"temp": ("max",)}), HOURS[1])
    with pytest.raises(SourceChanging, match="for the first time"):
        erasure.finish()
    scene.erase()
    (receipt,) = scene.receipt_rows("other").values()
    start = int(HOURS[1].start.timestamp()) * 10**9
    values = [row for row in scene.rows(scene.rolled, "m") if row[0] == start and row[2] == "temp_max"]
    assert len(values) == 1
    assert (receipt["state"], int(receipt["rows_out"]), int(receipt["series"])) == ("COMMITTED", 1, 1)


def test_receipt_is_right_of_a_pipeline_that_first_runs_when_another_erasure_has_ended_meanwhile(
    scene: EraseScene,
) -> None:
    """One erasure hangs before its first delete, another one does it all, and the series come back before the first goes on."""
    hangs = next_erasure(scene, 0)
    advance_to(hangs, Delete, scene.bucket)
    assert scene.erase()["certificate"] is not None
    scene.add(point(2, scene.tags, "temp", 1.0))
    other = replace(scene.hourly, pipeline="other", aggregates=("last",))
    scene.roll(other, HOURS[0])
    with pytest.raises(SourceChanging, match="'other' ran for the first time"):
        hangs.finish()
    scene.erase()
    rows, (receipt,) = scene.rows(scene.rolled, "m"), scene.receipt_rows("other").values()
    left = [row for row in rows if row[2] == "temp_last"]
    assert not [row for row in left if set(scene.tags.items()) <= set(row[1])]
    assert (int(receipt["rows_out"]), int(receipt["series"]), int(receipt["rows_in"])) == (1, 1, 1)
    assert len(left) == 1
