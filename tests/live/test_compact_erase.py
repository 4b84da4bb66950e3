"""A compacted archive and an erasure: no series comes back from the large windows, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase_spec import EraseSpec
from airflow_provider_influx_rollup.stores.actions import actions_with
from tests.archive_scene import RUN, VERSIONS, facts_of, read_facts
from tests.compact_scene import DAY, CompactScene, hour, make_compact_scene
from tests.conftest import InfluxServer
from tests.live.test_export import exported, table_points

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> CompactScene:
    return make_compact_scene(influx, client, tmp_path / "archive")


def erase_device(scene: CompactScene, device: str) -> dict[str, Any]:
    spec = EraseSpec(scene.spec, {"device": device}, pipelines=())
    by = EraseRun(RUN, scene.now, VERSIONS, b"0123456789abcdef", None)
    result = dict(drive(erase(spec, by), scene.client, scene.tell, actions_with(scene.store)).as_json())
    scene.points = [one for one in scene.points if dict(one.tags).get("device") != device]
    return result


def devices_in_files(scene: CompactScene) -> set[str | None]:
    return {
        dict(facts[1]).get("device") for path in scene.base.rglob("*.parquet") for facts in read_facts(path)
    }


def test_erased_series_stay_away_when_windows_were_compacted(scene: CompactScene, tmp_path: Path) -> None:
    table = tmp_path / "table"
    scene.compact()
    exported(scene, table)
    erase_device(scene, "b")
    assert devices_in_files(scene) == {"a", None}
    assert scene.read() == facts_of(scene.points)
    assert scene.archive(*(hour(number) for number in scene.hours))["new"] == 0
    made = scene.compact()
    assert (made["new"], scene.stored(DAY), scene.read()) == (
        1,
        facts_of(scene.points),
        facts_of(scene.points),
    )
    assert scene.compact()["new"] == 0
    assert not any(one.problem for one in scene.checked())
    # the table gets rid of them with the next export
    assert exported(scene, table)["replaced"] == 2
    assert table_points(table) == facts_of(scene.points)
    assert exported(scene, table)["commits"] == 0
