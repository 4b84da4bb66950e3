"""Buckets are renamed and swapped: what is known of them follows their ids, not their names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMissing, ConfigurationError, WindowFrozen
from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.read_archive import read_archive
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.archive_scene import RUN, read_facts
from tests.scenes.purge_scene import (
    ALWAYS,
    DAY,
    PURGED_AT,
    WINDOW,
    PurgeScene,
    as_facts,
    inside,
    make_purge_scene,
    outside,
    point,
)
from tests.scenes.rename_scene import delete_bucket, id_of, rename_bucket

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
    assert found["dirty_windows"] == []
    assert counts(scene) == COUNTS


def test_windows_stay_done_when_buckets_are_renamed(scene: PurgeScene) -> None:
    rename_source(scene)
    scene.rolled = rename_bucket(scene.server, scene.rolled, f"{scene.rolled}_renamed")
    found = scene.reconcile(scene.hourly, DAY)
    assert found["is_clean"]
    assert found["dirty_windows"] == []
    result = scene.roll(scene.hourly, WINDOW)
    assert not [note for note in result["notes"] if "spec changed" in note]
    assert counts(scene) == COUNTS
    # the tier above finds the lower one in its renamed bucket
    assert scene.reconcile(scene.daily, DAY)["is_clean"]


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


def test_other_pipeline_still_clashes_when_buckets_were_renamed(scene: PurgeScene) -> None:
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
    assert counts(scene) == COUNTS


def folder_of(scene: PurgeScene, bucket: str) -> Path:
    """Where the archive of a bucket is, by the name of its folder."""
    return scene.base / scene.server.org / bucket / scene.measurement


def generations(folder: Path) -> list[str]:
    """All that was published."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob("window=*/gen=*/manifest.json"))


def test_archive_goes_on_in_its_folder_when_its_bucket_was_renamed(scene: PurgeScene) -> None:
    old = rename_source(scene)
    folder = folder_of(scene, old)
    before = generations(folder)
    result = scene.archive()
    assert (result["new"], result["generation"], result["rows_out"]) == (0, 1, 4)
    assert result["path"].endswith(str(folder.relative_to(scene.base)))
    assert scene.purge()["new"] == 1
    assert counts(scene) == COUNTS
    # the purged hour is what the archive holds, and not what is left of it
    again = scene.archive()
    assert (again["new"], again["generation"], again["rows_out"]) == (0, 1, 4)
    assert generations(folder) == before
    assert not folder_of(scene, scene.bucket).exists()
    assert scene.purge()["new"] == 0
    late = scene.land()
    merged = scene.archive()
    assert (merged["generation"], merged["rows_out"]) == (2, 5)
    assert late.facts in set(scene_facts(folder))


def scene_facts(folder: Path) -> list[tuple[Any, ...]]:
    """The points of all files of a folder's newest generation."""
    newest = max(folder.glob("window=*/gen=*"), key=lambda path: int(path.name.removeprefix("gen=")))
    return [facts for path in newest.glob("*.parquet") for facts in read_facts(path)]


@pytest.mark.parametrize("by_folder", [False, True])
def test_restore_lifts_the_mark_when_its_bucket_was_renamed(scene: PurgeScene, by_folder: bool) -> None:
    scene.purge()
    old = rename_source(scene)
    spec = RestoreSpec(
        org=scene.server.org,
        source_bucket=old if by_folder else scene.bucket,
        measurement=scene.measurement,
        target_bucket=scene.bucket,
        target_org=scene.server.org,
        shown_path=str(scene.base),
        ledger_bucket=scene.ledger,
    )
    result = drive(
        restore(spec, WINDOW, RUN, lambda: PURGED_AT), scene.client, scene.tell, actions_with(scene.store)
    ).as_json()
    assert (result["rows_out"], len(result["lifted"])) == (4, 1)
    assert scene.mark_states() == ["lifted"]
    assert scene.facts() == as_facts([*inside(), *outside()])
    assert scene.roll(scene.hourly, WINDOW)["state"] == "COMMITTED"
    assert counts(scene) == COUNTS
    # and it may be purged again, under the new name
    scene.clock = PURGED_AT
    assert scene.archive()["new"] == 0
    assert scene.purge(now=PURGED_AT + timedelta(days=2))["new"] == 1
    with pytest.raises(WindowFrozen):
        scene.roll(scene.hourly, WINDOW)
    rename_bucket(scene.server, scene.bucket, old)
    scene.bucket = old
    with pytest.raises(WindowFrozen):
        scene.roll(scene.hourly, WINDOW)
    assert counts(scene) == COUNTS


def test_bucket_that_was_made_anew_is_another_one_and_takes_the_archive_back(scene: PurgeScene) -> None:
    scene.purge()
    delete_bucket(scene.server, scene.bucket)
    scene.client.ensure_bucket(scene.bucket)
    with pytest.raises(WindowFrozen, match="another bucket"):
        scene.roll(scene.hourly, WINDOW)
    assert counts(scene) == COUNTS
    org, name = scene.server.org, scene.bucket
    spec = RestoreSpec(
        org=org,
        source_bucket=name,
        measurement=scene.measurement,
        target_bucket=name,
        target_org=org,
        shown_path=str(scene.base),
        ledger_bucket=scene.ledger,
    )
    steps = restore(spec, WINDOW, RUN, lambda: PURGED_AT)
    result = drive(steps, scene.client, scene.tell, actions_with(scene.store)).as_json()
    # the mark is that of the bucket that is gone
    assert (result["rows_out"], result["lifted"]) == (4, [])
    assert scene.facts() == as_facts(inside())
    assert scene.roll(scene.hourly, WINDOW)["state"] == "COMMITTED"
    assert counts(scene) == COUNTS
    # the next hour was not archived, so nothing brings its point back: its row stays
    (left,) = scene.reconcile(scene.hourly, DAY)["frozen"]
    assert left["window"] == NEXT.as_json()
    assert counts(scene, window=NEXT) == {"b": 1}


def test_bucket_of_an_old_name_has_an_archive_of_its_own(scene: PurgeScene) -> None:
    scene.purge()
    name = scene.bucket
    old = rename_source(scene)
    renamed = scene.bucket
    scene.client.ensure_bucket(name)
    scene.bucket = name
    mine = point(3, {"device": "new"}, "temp", 1.0)
    scene.write([mine])
    result = scene.archive()
    assert (result["generation"], result["rows_out"]) == (1, 1)
    own = folder_of(scene, f"{name}%40{id_of(scene.server, name)}")
    assert result["path"].endswith(f"{own.parent.name}/{own.name}")
    assert scene_facts(own) == [mine.facts]
    assert len(scene_facts(folder_of(scene, old))) == 4
    # each is purged, and marked, for itself
    assert scene.purge(require_pipelines=())["rows_in"] == 1
    scene.bucket = renamed
    assert scene.purge(require_pipelines=())["new"] == 0
    assert sorted(scene.mark_states()) == ["purged", "purged"]


def test_compaction_finds_the_folder_when_its_bucket_was_renamed(scene: PurgeScene) -> None:
    old = rename_source(scene)
    spec = CompactSpec(
        org=scene.server.org,
        bucket=scene.bucket,
        measurement=scene.measurement,
        shown_path=str(scene.base),
        into="1d",
        ledger_bucket=scene.ledger,
    )
    now = PURGED_AT + timedelta(days=40)
    steps = compact(spec, DAY, RUN, lambda: now, {})
    result = drive(steps, scene.client, scene.tell, actions_with(scene.store)).as_json()
    assert (result["new"], result["rows_out"]) == (1, 4)
    # what has no ledger takes the name of the folder
    table = read_archive(str(scene.base), org=scene.server.org, bucket=old, measurement=scene.measurement)
    assert table.num_rows == 4
    with pytest.raises(ArchiveMissing, match="folder says"):
        drive(
            compact(replace(spec, ledger_bucket=""), DAY, RUN, lambda: now, {}),
            scene.client,
            scene.tell,
            actions_with(scene.store),
        )
