"""What an erasure takes everywhere, what it leaves to the last bit, and what it says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.archive_scene import facts_of
from tests.conftest import InfluxServer
from tests.erase_scene import (
    HOURS,
    EraseScene,
    make_erase_scene,
    others,
    without,
)

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_erase_scene(influx, client, tmp_path)


@pytest.fixture
def twin(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    """The same, in a world where the customer has never been."""
    made = make_erase_scene(influx, client, tmp_path)
    made.fill(with_customer=False)
    return made


def test_series_are_nowhere_and_all_others_are_as_they_were_when_they_are_erased(
    scene: EraseScene, twin: EraseScene
) -> None:
    scene.fill()
    before = {name: scene.rows(scene.rolled, name) for name in ("m", "m_daily")}
    scene.erase()
    assert scene.rows() == twin.rows()
    for name in ("m", "m_daily", "m_all"):
        assert scene.rows(scene.rolled, name) == twin.rows(twin.rolled, name)
    assert scene.rows(scene.rolled, "m") == without(before["m"], scene.tags)
    for pipeline in ("hourly", "daily", "merged"):
        assert scene.receipt_rows(pipeline) == twin.receipt_rows(pipeline)
    assert scene.customers_in_files() == 0
    stored = [facts for window in HOURS for facts in scene.stored(window)]
    assert sorted(stored, key=repr) == facts_of(others())
    assert scene.reconcile(scene.hourly, Interval(HOURS[0].start, HOURS[-1].stop))["dirty"] == []
