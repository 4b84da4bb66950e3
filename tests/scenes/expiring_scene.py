"""A bucket with retention whose first days are about to be deleted, by a clock that the test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.archive.expiring import archive_expiring
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, VERSIONS, WINDOW, ArchiveScene, make_archive_scene, point

DAY = timedelta(days=1)
DAY_NS = 86_400 * 10**9
RETENTION_DAYS = 30
# shard groups of 30 days' retention are days
FIRST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 8 * DAY


def day(number: int) -> Interval:
    """A day after the first one."""
    return Interval(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def points_of(number: int, count: int = 3) -> list[Any]:
    """Points of a day."""
    start = day(number).start_ns - WINDOW.start_ns
    return [point(start + index, {"device": "a"}, "temp", float(index)) for index in range(count)]


def make_expiring_scene(influx: InfluxServer, client: InfluxClient, base: Path) -> ArchiveScene:
    """Points of seven days."""
    made = make_archive_scene(influx, client, base)
    made.bucket = f"{made.bucket}_kept"
    client.ensure_bucket(made.bucket, RETENTION_DAYS * 86_400)
    for number in range(7):
        made.write(points_of(number))
    return made


def look_after(
    scene: ArchiveScene, days_left: float, *, actions: Mapping[Any, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Archive what expires, so many days before the first day is deleted.

    :param actions: of some steps, in place of the real ones
    """
    # the first day's shard group ends with it
    scene.clock = day(0).stop + timedelta(days=RETENTION_DAYS - days_left)
    spec = scene.spec if "spec" not in more else more.pop("spec")
    wanted = {"max_windows": 100, "within": Duration.of("3d"), "grid": Grid.of("1d"), **more}
    steps = archive_expiring(spec, run=RUN, now=scene.now, versions=VERSIONS, **wanted)
    acted = {**actions_with(scene.store), **(actions or {})}
    return dict(drive(steps, scene.client, scene.tell, acted).as_json())


def archived(scene: ArchiveScene) -> list[int]:
    """The days that have a generation."""
    return [number for number in range(9) if scene.manifests(day(number))]


def purge_later(scene: ArchiveScene, window: Interval) -> None:
    """Purge a window that is archived, a day later."""
    assert scene.clock is not None
    scene.clock += DAY
    spec = PurgeSpec(archive=scene.spec, min_age="1d", quiet_for="0s")
    drive(purge(spec, [window], RUN, scene.now), scene.client, scene.tell, actions_with(scene.store))


def purge_with_late_points(scene: ArchiveScene, number: int) -> list[Any]:
    """Purge a day that is archived, and let as many other points of it come late."""
    purge_later(scene, day(number))
    late = [
        replace(one, value=one.value + 0.5, time_ns=one.time_ns + DAY_NS // 2) for one in points_of(number)
    ]
    scene.write(late)
    return late
