"""A purge of points whose tag set is there under two series keys, when it needs the word of their rollups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval
from tests.conftest import InfluxServer
from tests.scenes.hostile_scene import ToPoint, facts_in, write_by_to
from tests.scenes.purge_scene import ARCHIVED_AT, DAY, SECOND, WINDOW, PurgeScene, make_empty_scene

pytestmark = pytest.mark.live

FIRST, SECOND_KEY = (("host", "a"), ("site", "x")), (("site", "x"), ("host", "a"))


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    """Ten points under each key, at times of their own; rolled up and archived."""
    scene = make_empty_scene(influx, client, tmp_path)
    points = [
        ToPoint(key, float(number + 100 * (key is SECOND_KEY)), WINDOW.start_ns + SECOND * moment, "temp")
        for key in (FIRST, SECOND_KEY)
        for number, moment in enumerate(range(10 * (key is SECOND_KEY), 10 + 10 * (key is SECOND_KEY)))
    ]
    write_by_to(influx, scene.bucket, scene.measurement, points)
    scene.roll(scene.hourly, DAY)
    scene.roll(scene.daily, DAY)
    scene.clock = ARCHIVED_AT
    scene.archive()
    return scene


def rolled(scene: PurgeScene) -> dict[str, float]:
    """What the hourly tier has of the window."""
    found = facts_in(scene.server, scene.rolled, [scene.measurement])
    return {field: float(value) for (_, field, time_ns, value) in found if time_ns == WINDOW.start_ns}


def test_window_is_purged_when_the_rollups_stand_for_the_points_of_both_keys(scene: PurgeScene) -> None:
    before = facts_in(scene.server, scene.bucket, [scene.measurement])
    assert sum(before.values()) == 20
    assert rolled(scene) == {"temp_count": 20, "temp_sum": 1090.0}
    assert scene.purge()["rows_in"] == 20
    assert not facts_in(scene.server, scene.bucket, [scene.measurement])
    assert rolled(scene) == {"temp_count": 20, "temp_sum": 1090.0}


@pytest.mark.parametrize("count", [10, 19])
def test_nothing_is_deleted_when_a_rollup_stands_for_a_part_of_the_points(
    scene: PurgeScene, count: int
) -> None:
    before = facts_in(scene.server, scene.bucket, [scene.measurement])
    instant = Interval(WINDOW.start, WINDOW.start + MICROSECOND)
    scene.client.delete(scene.rolled, instant, f'_measurement="{scene.measurement}"')
    scene.client.write_lines(
        scene.rolled,
        [f"{scene.measurement},host=a,site=x temp_count={count}i,temp_sum=1045 {WINDOW.start_ns}"],
    )
    with pytest.raises(InfluxRollupError, match="hourly"):
        scene.purge()
    assert facts_in(scene.server, scene.bucket, [scene.measurement]) == Counter(before)
