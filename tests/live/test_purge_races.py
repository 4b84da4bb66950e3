"""Points that land, and runs that die, between any two steps of a purge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import PurgeRefused
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import Point
from tests.scenes.cuts import cut, may_change, touches
from tests.scenes.purge_scene import (
    HOUR,
    PURGED_AT,
    WINDOW,
    PurgeScene,
    Stepper,
    as_facts,
    hours_of,
    make_hours_scene,
    point,
)

pytestmark = pytest.mark.live

# more than a purge has that touch the bucket, and that change something
MAX_STEPS = 20
MAX_CHANGES = 14
HOURS = hours_of(MAX_STEPS)
LATER = PURGED_AT + timedelta(hours=1)
REQUIRED = ("hourly",)


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> PurgeScene:
    """A window for each step, all archived and rolled up."""
    made = make_hours_scene(influx, client, tmp_path, request.param)
    # what comes next is archived after the first purges
    made.clock = LATER
    return made


def land(scene: PurgeScene, number: int) -> Point:
    """A late point of a window."""
    late = point(number * HOUR + 77, {"device": "late"}, "temp", 1000.0 + number)
    scene.add(late)
    return late


def lost(scene: PurgeScene, *numbers: int) -> set[object]:
    """Points of some windows that were written, and are neither in the bucket nor in the newest files.

    :param numbers: of the windows; none for all of them
    """
    windows = [HOURS[number] for number in numbers] or [one for one in HOURS if scene.manifests(one)]
    held = scene.facts().union(*(scene.filed(window) for window in windows))
    written = {fact for fact in as_facts(scene.points) if any(is_in(fact[0], window) for window in windows)}
    return set(written - held)


def is_in(time_ns: int, window: Interval) -> bool:
    """Whether a time lies in a window."""
    return window.start_ns <= time_ns < window.stop_ns


def rows_left(scene: PurgeScene, number: int) -> int:
    """Points of a window in the bucket."""
    return sum(is_in(fact[0], HOURS[number]) for fact in scene.facts())


def purge(scene: PurgeScene, *numbers: int, required: tuple[str, ...] = REQUIRED) -> dict[str, object]:
    """Purge some windows as soon as they are archived."""
    windows = [HOURS[number] for number in numbers]
    return scene.purge(*windows, quiet_for="0s", require_pipelines=required, now=LATER + timedelta(hours=1))


def steppers(scene: PurgeScene, counts: Callable[[Any], bool]) -> Iterator[tuple[int, Stepper]]:
    """A purge of the next window each time, stopped before one more of the steps that count, the last time after the last."""
    for number, window in enumerate(HOURS):
        stepper = Stepper(scene, scene.purge_steps(window, require_pipelines=REQUIRED))
        if not cut(stepper, counts, number):
            assert number > 8
            return
        yield number, stepper
    pytest.fail("the purge has more steps than there are windows")


@pytest.mark.parametrize("scene", [MAX_STEPS], indirect=True)
def test_late_point_is_in_the_bucket_or_in_a_file_when_it_lands_between_any_two_steps(
    scene: PurgeScene,
) -> None:
    refused, survived, gaps = [], [], []
    for number, stepper in steppers(scene, lambda step: touches(step, scene.bucket)):
        is_at_the_delete = isinstance(stepper.pending, Delete)
        late = land(scene, number)
        try:
            stepper.finish()
        except PurgeRefused:
            refused.append(number)
            assert rows_left(scene, number) == 4, stepper.seen
            continue
        missing = lost(scene, number)
        if missing:
            # the one race that InfluxDB leaves open: after the last look, before the delete
            assert is_at_the_delete, stepper.seen
            assert missing == as_facts([late])
            scene.points.remove(late)
            gaps.append(number)
            continue
        survived.append(number)
        assert rows_left(scene, number) == 1, stepper.seen
    count = number + 1
    assert 1 <= len(gaps) <= 2
    assert [*refused, *gaps, *survived] == list(range(count))
    # the next archive has them all; after a repair of the rollup the refused windows can go
    scene.archive(*HOURS[:count])
    for one in (*refused, *survived):
        assert max(scene.manifests(HOURS[one])) == 2
        assert len(scene.filed(HOURS[one])) == 4
    scene.reconcile(scene.hourly, Interval(HOURS[0].start, HOURS[number].stop))
    purge(scene, *refused)
    purge(scene, *survived, required=())
    assert not any(rows_left(scene, one) for one in range(count))
    assert lost(scene) == set()
    scene.require_chain()


@pytest.mark.parametrize("scene", [MAX_CHANGES], indirect=True)
def test_rerun_finishes_and_nothing_is_lost_when_a_run_dies_between_any_two_steps(scene: PurgeScene) -> None:
    before = scene.tiers(daily=False)
    for number, stepper in steppers(scene, may_change):
        stepper.steps.close()
        assert lost(scene, number) == set(), stepper.seen
        result = purge(scene, number)
        assert rows_left(scene, number) == 0, stepper.seen
        assert (result["rows_in"], result["rows_out"]) == (3, 0), stepper.seen
        windows = [one["window"] for one in scene.certificates()]
        assert windows == [window.as_json() for window in HOURS[: number + 1]], stepper.seen
    assert lost(scene) == set()
    assert set(scene.mark_states()) == {"purged"}
    scene.require_chain()
    scene.reconcile(scene.hourly, Interval(HOURS[0].start, HOURS[number].stop))
    assert scene.tiers(daily=False).equals(before)


@pytest.mark.parametrize("scene", [MAX_CHANGES], indirect=True)
def test_late_point_is_kept_when_it_lands_after_a_run_died_between_any_two_steps(scene: PurgeScene) -> None:
    deleted = []
    for number, stepper in steppers(scene, may_change):
        stepper.steps.close()
        if not rows_left(scene, number):
            deleted.append(number)
        land(scene, number)
        with pytest.raises(PurgeRefused, match="archive"):
            purge(scene, number)
    count = number + 1
    scene.archive(*HOURS[:count])
    untouched = [one for one in range(count) if one not in deleted]
    assert len(deleted) > 3
    assert len(untouched) > 3
    for one in range(count):
        assert len(scene.filed(HOURS[one])) == 4
        # the rollup lacks the late point
        with pytest.raises(PurgeRefused, match="hourly"):
            purge(scene, one)
    # where nothing was deleted the points are all there, and the rollup can be repaired; elsewhere it stays as it is
    scene.reconcile(scene.hourly, Interval(HOURS[0].start, HOURS[number].stop))
    purge(scene, *untouched)
    purge(scene, *deleted, required=())
    assert not any(rows_left(scene, one) for one in range(count))
    assert lost(scene) == set()
    scene.require_chain()


@pytest.mark.parametrize("scene", [5], indirect=True)
def test_certificates_make_one_chain_when_two_purges_alternate_their_steps(scene: PurgeScene) -> None:
    both = [
        Stepper(scene, scene.purge_steps(window, now=PURGED_AT, require_pipelines=REQUIRED))
        for window in HOURS[3:5]
    ]
    going = both
    while going:
        going = [one for one in going if one.advance()]
    assert rows_left(scene, 3) == rows_left(scene, 4) == 0
    assert lost(scene) == set()
    assert len(scene.certificates()) == 2
    scene.require_chain()


@pytest.mark.parametrize("scene", [5], indirect=True)
def test_rollup_that_has_begun_is_not_overtaken_when_a_purge_begins(scene: PurgeScene) -> None:
    stepper = Stepper(scene, scene.purge_steps(WINDOW, require_pipelines=REQUIRED))
    while "Delete" not in stepper.seen:
        if scene.mark_states() == ["deleting"]:
            break
        stepper.advance()
    other = replace(scene.hourly, pipeline="other", target_measurement="other")
    with pytest.raises(Exception, match="are being purged"):
        scene.roll(other, WINDOW)
    stepper.finish()
    assert rows_left(scene, 0) == 0
