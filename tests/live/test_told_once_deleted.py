"""What people are told when something fails after the points are deleted: that they are, and what a rerun does."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable, StoreUnavailable
from airflow_provider_influx_rollup.steps.influx import Delete
from tests.conftest import InfluxServer
from tests.scenes.erase_scene import Going, make_filled_scene
from tests.scenes.purge_scene import Stepper, hours_of, make_hours_scene

pytestmark = pytest.mark.live

MAX_STEPS = 23
SAID_BY_A_STEP = "make room, then run it again: what was begun is made again"


def full_at(stepper: Stepper) -> Exception:
    """The error of the next step: a full disk, or a server that is away."""
    is_of_store = type(stepper.pending).__module__.endswith("steps.store")
    error = StoreUnavailable if is_of_store else InfluxUnavailable
    return error("no room", written="nothing", fix=SAID_BY_A_STEP)


def test_purge_says_that_points_are_deleted_when_a_later_step_fails(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    scene = make_hours_scene(influx, client, tmp_path, MAX_STEPS)
    told = 0
    # an hour for each step after the delete
    for skipped, window in enumerate(hours_of(MAX_STEPS)):
        stepper = Stepper(scene, scene.purge_steps(window, require_pipelines=("hourly",)))
        while not isinstance(stepper.pending, Delete):
            assert stepper.advance()
        stepper.advance()
        if not all(stepper.advance() for _ in range(skipped)) or stepper.pending is None:
            break
        if stepper.seen[-1] == "Report":
            continue
        with pytest.raises((StoreUnavailable, InfluxUnavailable)) as caught:
            stepper.fail(full_at(stepper))
        message = str(caught.value)
        assert "points are deleted" in message
        assert "make room, then run the purge again" in message
        assert "nothing" not in message
        # and that is true
        assert scene.purge(window, require_pipelines=("hourly",))["state"] == "COMMITTED"
        told += 1
        assert len(scene.certificates()) == told
    assert 5 < told < MAX_STEPS - 1


def test_erasure_says_that_series_are_erased_when_its_certificate_cannot_be_written(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    scene = make_filled_scene(influx, client, tmp_path)
    going = Going(scene, scene.erase_steps())
    while type(going.pending).__name__ != "PutNew" or "certificates" not in going.pending.path:
        assert going.advance()
    with pytest.raises(StoreUnavailable) as caught:
        going.fail(full_at(going))
    assert "the series are erased everywhere" in str(caught.value)
    assert "make room, then run the erasure again" in str(caught.value)
    assert scene.erase()["certificate"]["number"] == 1
