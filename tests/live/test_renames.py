"""Buckets are renamed and swapped: what is known of them follows their ids, not their names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.lifecycle.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.purge_scene import ALWAYS, DAY, WINDOW, PurgeScene, inside, make_purge_scene, point
from tests.rename_scene import id_of, rename_bucket

pytestmark = pytest.mark.live
NEXT = Interval(WINDOW.stop, WINDOW.stop + WINDOW.duration)
# two temperatures of each hour of a and b: what the hour of the purge holds, by hand
COUNTS = {"a": 2, "b": 1}


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    return make_purge_scene(influx, client, tmp_path)


def rename_source(scene: PurgeScene) -> str:
    """The source is called otherwise, and so the DAG reads it under its new name; returns the old one."""
    old = scene.bucket
    scene.bucket = rename_bucket(scene.server, old, f"{old}_renamed")
    return old


def counts(scene: PurgeScene, bucket: str = "", window: Interval = WINDOW) -> dict[str, int]:
    """``temp_count`` of a window by device, read without the product."""
    flux = f"""from(bucket: "{bucket or scene.rolled}") |> {ALWAYS}
        |> filter(fn: (r) => r._measurement == "{scene.measurement}" and r._field == "temp_count")"""
    rows = query(scene.server.url, scene.server.org, scene.server.token, flux)
    return {row["device"]: int(row["_value"]) for row in rows if row["_time"] == window.start_ns}


def pipelines(scene: PurgeScene) -> set[str]:
    """Names of pipelines that have receipts."""
    flux = f"""from(bucket: "{scene.ledger}") |> {ALWAYS}
        |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "rollup" and r._field == "state")"""
    rows = query(scene.server.url, scene.server.org, scene.server.token, flux)
    return {row["pipeline"] for row in rows}


def test_ids_stay_when_a_bucket_is_renamed(scene: PurgeScene) -> None:
    before = scene.client.find_bucket(scene.bucket)
    rename_source(scene)
    after = scene.client.find_bucket(scene.bucket)
    assert before is not None
    assert after is not None
    assert (after.id, after.org_id) == (before.id, before.org_id)
    assert after.id == id_of(scene.server, scene.bucket)
    assert len(after.org_id) == 16


def test_purged_hour_is_frozen_when_its_bucket_was_renamed(scene: PurgeScene) -> None:
    scene.purge()
    rename_source(scene)
    assert counts(scene) == COUNTS
    for options in ({}, {"force": True}, {"heal": "1d"}):
        with pytest.raises(WindowFrozen, match="were purged"):
            scene.roll(scene.hourly, WINDOW, **options)
        assert counts(scene) == COUNTS
    found = scene.reconcile(scene.hourly, DAY)
    assert (found["purged"], found["frozen"], found["dirty"]) != (0, 0, 1)
    assert counts(scene) == COUNTS


def test_windows_stay_done_when_buckets_are_renamed(scene: PurgeScene) -> None:
    rename_source(scene)
    scene.rolled = rename_bucket(scene.server, scene.rolled, f"{scene.rolled}_renamed")
    found = scene.reconcile(scene.hourly, DAY)
    assert found["is_clean"]
    assert found["dirty"] == 0
    result = scene.roll(scene.hourly, WINDOW)
    assert not [note for note in result["notes"] if "spec changed" in note]
    assert counts(scene) == COUNTS
    # the tier above finds the lower one in its renamed bucket
    assert scene.reconcile(scene.daily, DAY)["is_clean"]
    assert scene.purge()["new"] == 1
    assert scene.facts() == set() or WINDOW.start_ns not in {fact[0] for fact in scene.facts()}


def test_swapped_bucket_is_another_one_when_it_has_all_points(scene: PurgeScene) -> None:
    points = list(scene.points)
    scene.purge()
    name = scene.bucket
    rename_source(scene)
    old = scene.bucket
    scene.client.ensure_bucket(name)
    scene.bucket = name
    scene.write(points)
    scene.write([point(5, {"device": "a"}, "temp", 7.0)])
    result = scene.roll(scene.hourly, WINDOW)
    assert result["state"] == "COMMITTED"
    assert counts(scene) == {"a": 3, "b": 1}
    # and the old one, under another name, is frozen as before
    scene.bucket = old
    with pytest.raises(WindowFrozen):
        scene.roll(scene.hourly, WINDOW)
    assert counts(scene) == {"a": 3, "b": 1}


def test_rows_stay_when_the_swapped_bucket_has_fewer_points(scene: PurgeScene) -> None:
    scene.purge()
    name = scene.bucket
    rename_source(scene)
    scene.client.ensure_bucket(name)
    scene.bucket = name
    with pytest.raises(WindowFrozen, match="another bucket"):
        scene.roll(scene.hourly, WINDOW)
    assert counts(scene) == COUNTS
    assert scene.reconcile(scene.hourly, DAY)["frozen"]
    assert counts(scene) == COUNTS
    scene.write([inside()[0]])
    scene.roll(scene.hourly, WINDOW, force=True)
    assert counts(scene) == {"a": 1}


def unnamed(scene: PurgeScene, **changes: Any) -> RollupSpec:
    return replace(scene.hourly, pipeline=None, target_measurement="unnamed", **changes)


def test_unnamed_pipeline_is_the_same_one_when_its_buckets_are_renamed(scene: PurgeScene) -> None:
    first = scene.roll(unnamed(scene), DAY)
    names = pipelines(scene)
    rename_source(scene)
    scene.rolled = rename_bucket(scene.server, scene.rolled, f"{scene.rolled}_renamed")
    again = scene.roll(unnamed(scene), WINDOW)
    assert again["pipeline"] == first["pipeline"]
    assert not [note for note in again["notes"] if "spec changed" in note]
    assert pipelines(scene) == names
    # as often as one likes, and back
    rename_bucket(scene.server, scene.bucket, f"{scene.bucket}_twice")
    scene.bucket = f"{scene.bucket}_twice"
    third = scene.roll(unnamed(scene), WINDOW)
    assert third["pipeline"] == first["pipeline"]
    assert pipelines(scene) == names
    tier = replace(
        scene.daily,
        pipeline=None,
        measurement="unnamed",
        target_measurement="unnamed_daily",
        source_tier=unnamed(scene).pipeline_name,
    )
    above = scene.roll(tier, DAY)
    assert above["state"] == "COMMITTED"
    purge = scene.purge(require_pipelines=(first["pipeline"], "hourly", "daily"))
    assert purge["new"] == 1


def test_other_pipeline_still_clashes_when_buckets_were_renamed(scene: PurgeScene) -> None:
    from airflow_provider_influx_rollup.exceptions import ConfigurationError

    rename_source(scene)
    scene.rolled = rename_bucket(scene.server, scene.rolled, f"{scene.rolled}_renamed")
    other = replace(scene.hourly, pipeline="other", grid=GridSpec("2h"))
    with pytest.raises(ConfigurationError, match="would write the same fields as pipeline 'hourly'"):
        scene.roll(other, DAY)


def test_ledger_may_be_renamed(scene: PurgeScene) -> None:
    scene.purge()
    scene.ledger = rename_bucket(scene.server, scene.ledger, f"{scene.ledger}_renamed")
    rename_source(scene)
    with pytest.raises(WindowFrozen):
        scene.roll(scene.hourly, WINDOW)
    assert scene.purge()["new"] == 0
    assert counts(scene) == COUNTS
