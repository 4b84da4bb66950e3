"""Workers that are killed at random moments while they archive, purge and restore: no point is ever lost."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.faults.archive_worker import ArchiveWorker, Work
from tests.scenes.archive_scene import WINDOW, Point, point
from tests.scenes.purge_scene import Fact, PurgeScene, make_empty_scene

pytestmark = [pytest.mark.live, pytest.mark.faults]

KILLED = -9
HOUR = timedelta(hours=1)
WINDOWS = tuple(Interval(WINDOW.start + number * HOUR, WINDOW.stop + number * HOUR) for number in range(3))
KILLS = 12
NS_PER_HOUR = 3600 * 10**9


def points() -> list[Point]:
    """Some thousands, of two types, in all windows."""
    return [
        made
        for number in range(3000)
        for made in (
            point(number * NS_PER_HOUR // 1000, {"device": f"d{number % 7}"}, "temp", number / 4),
            point(number * NS_PER_HOUR // 1000, {"device": f"d{number % 7}"}, "state", f"s{number}"),
        )
    ]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    return make_empty_scene(influx, client, tmp_path)


def work_of(scene: PurgeScene, target: str = "") -> Work:
    server = scene.server
    return Work(
        server.url,
        server.org,
        server.token,
        scene.bucket,
        scene.ledger,
        str(scene.base),
        WINDOWS,
        target,
    )


def filed(scene: PurgeScene) -> set[Fact]:
    """What the newest generations hold, read from the files without the product."""
    return {fact for window in WINDOWS for fact in scene.filed(window)}


def seconds_to_end(work: Work) -> float:
    """How long a worker takes that nobody kills."""
    worker = ArchiveWorker(work)
    began = time.monotonic()
    worker.go_on()
    assert worker.wait() == 0
    return time.monotonic() - began


def kill_after(work: Work, seconds: float) -> bool:
    """Let a worker work for so long; whether it was killed."""
    worker = ArchiveWorker(work)
    timer = threading.Timer(seconds, worker.kill)
    worker.go_on()
    timer.start()
    status = worker.wait()
    timer.cancel()
    assert status in (0, KILLED)
    return status == KILLED


def test_no_point_is_lost_when_workers_are_killed_while_they_archive_and_purge(scene: PurgeScene) -> None:
    choose = random.Random(20250308)
    all_points = points()
    scene.write(all_points)
    wanted = scene.facts()
    assert len(wanted) == len(all_points)
    whole = seconds_to_end(work_of(scene))
    killed = 0
    for _ in range(KILLS):
        if filed(scene) == wanted and not scene.facts():
            # all is done: the points come back, as late ones
            scene.write(all_points)
        killed += kill_after(work_of(scene), choose.uniform(0.0, whole))
        assert scene.facts() | filed(scene) == wanted
        scene.require_chain()
    assert seconds_to_end(work_of(scene)) > 0
    assert (scene.facts(), filed(scene)) == (set(), wanted)
    scene.require_chain()
    assert killed >= KILLS / 3


def test_all_points_are_back_when_workers_are_killed_while_they_restore(scene: PurgeScene) -> None:
    choose = random.Random(20250309)
    scene.write(points())
    wanted = scene.facts()
    seconds_to_end(work_of(scene))
    bucket = scene.client.ensure_bucket(f"{scene.bucket}_back").name
    whole = seconds_to_end(work_of(scene, bucket))
    scene.bucket, source = bucket, scene.bucket
    killed = 0
    for _ in range(KILLS):
        scene.delete(Interval(WINDOWS[0].start, WINDOWS[-1].stop))
        scene.bucket = source
        killed += kill_after(work_of(scene, bucket), choose.uniform(0.0, whole))
        assert seconds_to_end(work_of(scene, bucket)) > 0
        scene.bucket = bucket
        assert scene.facts() == wanted
    assert killed >= KILLS / 3
