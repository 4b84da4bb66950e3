"""A device that writes while its points are restored: what it wrote stays, whatever step it comes before."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.steps.store import WritePoints
from tests.conftest import InfluxServer
from tests.scenes.cuts import cut, touches
from tests.scenes.purge_scene import (
    ARCHIVED_AT,
    HOUR,
    RUN,
    WINDOW,
    PurgeScene,
    Stepper,
    as_facts,
    inside,
    make_empty_scene,
    point,
)

pytestmark = pytest.mark.live

MAX_CUTS = 80
# other values for the first and the last point of the window, so that each is in a part of its own
NEWER = (point(0, {"device": "a"}, "temp", 777.0), point(HOUR - 1, {"device": "b"}, "temp", 888.0))


def make_stepper(scene: PurgeScene, measurement: str) -> Stepper:
    """A restore in several parts."""
    spec = scene.restore_spec(target_measurement=measurement, max_rows_per_read=2)
    return Stepper(scene, restore(spec, WINDOW, RUN, lambda: ARCHIVED_AT))


def finish(stepper: Stepper) -> str:
    """Act a restore out; how it ended."""
    try:
        stepper.finish()
    except InfluxRollupError as error:
        return type(error).__name__
    return "ok"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in place", "into another measurement"])
def test_newer_value_stays_when_it_comes_before_any_step_of_a_restore(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, *, elsewhere: bool
) -> None:
    scene = make_empty_scene(influx, client, tmp_path)
    scene.add(*inside())
    scene.clock = ARCHIVED_AT
    scene.archive()
    scene.delete()
    ends, writes = [], 0
    for number in range(MAX_CUTS):
        target = f"copy_{number}" if elsewhere else scene.measurement
        stepper = make_stepper(scene, target)
        if not cut(stepper, lambda step: touches(step, scene.bucket), number):
            assert {"ok", "PartialWrite", "RestoreConflict"} == set(ends)
            assert writes == len(NEWER)
            return
        pending = stepper.pending
        client.write_payload(
            scene.bucket,
            b"\n".join(one.line.replace(b"MEASUREMENT", target.encode(), 1) for one in NEWER),
        )
        ends.append(finish(stepper))
        # the request that is under way is the only one that nobody can look after
        writes += isinstance(pending, WritePoints)
        within = pending.interval if isinstance(pending, WritePoints) else None
        stay = [one for one in NEWER if within is None or not within.start_ns <= one.time_ns < within.stop_ns]
        assert as_facts(stay) <= scene.facts(target), (number, ends[-1], stepper.seen[-4:])
        # no run that replaced or refused something says that all is well
        if ends[-1] == "ok":
            archived = {fact for fact in as_facts(inside()) if fact[0] not in {one.time_ns for one in NEWER}}
            assert archived <= scene.facts(target), number
        scene.delete()
    pytest.fail("there are more steps than cuts")
