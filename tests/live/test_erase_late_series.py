"""A reconcile that has seen late points hangs while their series are erased: what it records does not name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.steps.influx import Write
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.archive_scene import RUN, point
from tests.scenes.erase_scene import CUSTOMER, ERASED_AT, HOURS, EraseScene, Going, make_erase_scene
from tests.scenes.purge_scene import ALWAYS

pytestmark = pytest.mark.live

STAYS = {"customer": "7", "device": "a"}


def late(scene: EraseScene) -> list[str]:
    """The series of the records of late points."""
    flux = f"""from(bucket: "{scene.ledger}") |> {ALWAYS}
        |> filter(fn: (r) => r._measurement == "lateness" and r._field == "by_series")"""
    return [row["_value"] for row in query(scene.server.url, scene.server.org, scene.server.token, flux)]


def test_reconcile_that_hung_names_no_series_that_were_erased_before_it_claimed_the_window(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    scene = make_erase_scene(influx, client, tmp_path)
    scene.add(point(1, STAYS, "temp", 1.0))
    scene.roll(scene.hourly, HOURS[0])
    scene.add(point(2, STAYS, "temp", 2.0), point(3, {**CUSTOMER, "device": "b"}, "temp", 3.0))
    run = Going(scene, reconcile(scene.hourly, HOURS[0], RUN, lambda: ERASED_AT))
    while not isinstance(run.pending, Write):
        assert run.advance()
    # it has compared the rows, and is about to claim the window
    assert any("WRITING" in line for line in run.pending.lines)
    scene.erase(require_archive=False)
    run.finish()
    (series,) = late(scene)
    assert '"7"' in series
    assert '"42"' not in series
    assert all(("customer", "42") not in row[1] for row in scene.rows(scene.rolled))
