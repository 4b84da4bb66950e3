"""What a purge deletes, what it leaves, and what it says of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import lift_purge
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.purge_scene import (
    OTHER,
    PURGED_AT,
    WINDOW,
    PurgeScene,
    as_facts,
    inside,
    make_purge_scene,
    outside,
)

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    return make_purge_scene(influx, client, tmp_path)


def test_window_is_deleted_and_nothing_else_when_all_is_proven(scene: PurgeScene) -> None:
    result = scene.purge()
    assert scene.facts() == as_facts(outside())
    assert len(scene.facts(OTHER)) == 1
    assert scene.filed() == as_facts(inside())
    assert (result["rows_in"], result["rows_out"], result["new"], result["state"]) == (4, 0, 1, "COMMITTED")
    assert scene.mark_states() == ["purged"]
    assert scene.purge_document()["state"] == "done"
    (certificate,) = scene.certificates()
    path = next(scene.folder.glob("certificates/*"))
    assert result["certificates"][0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    # annotated CSV turns newlines into CR LF
    (document,) = scene.ledger_rows("purge_certificate", "document")
    assert document.replace("\r\n", "\n") == path.read_text()
    assert scene.ledger_rows("purge_certificate", "sha256") == [result["certificates"][0]["sha256"]]
    assert certificate["deleted"]["rows"] == 4
    assert set(certificate["deleted"]["fields"]) == {"temp", "state"}
    assert certificate["run"]["run_id"] == "run"
    assert [(tier["pipeline"], tier["windows"], tier["compared"]) for tier in certificate["tiers"]] == [
        ("hourly", 1, True),
        ("daily", 1, True),
    ]
    for file in certificate["archive"]["files"]:
        data = (scene.base / certificate["archive"]["folder"] / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    manifest = (scene.base / certificate["archive"]["folder"] / "manifest.json").read_bytes()
    assert certificate["archive"]["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert certificate["checks"]["neighbours"] == {
        "before": {"then": 2, "after": 2},
        "after": {"then": 1, "after": 1},
    }


@pytest.mark.recorded
def test_rerun_changes_nothing_and_names_the_same_certificate_when_a_purge_is_done(scene: PurgeScene) -> None:
    first = scene.purge()
    before = scene.facts(), [(path, path.read_bytes()) for path in scene.files()]
    again = scene.purge()
    assert again["certificates"] == first["certificates"]
    assert (again["new"], again["rows_in"]) == (0, 4)
    assert (scene.facts(), [(path, path.read_bytes()) for path in scene.files()]) == before


@pytest.mark.recorded
def test_no_tier_loses_rows_when_its_source_was_purged(scene: PurgeScene) -> None:
    before = scene.tiers()
    assert len(before) == 10
    scene.purge()
    for force in (False, True):
        with pytest.raises(WindowFrozen, match="were purged; generation 1 of the archive stands for them"):
            scene.roll(scene.hourly, WINDOW, force=force)
    found = scene.reconcile(scene.hourly, WINDOW)
    assert (found["purged_total"], found["dirty_total"], found["is_clean"]) == (1, 0, True)
    assert "were purged" in found["purged"][0]["why"]
    wider = replace(scene.hourly, aggregates={"temp": ("count", "sum", "max")})
    changed = scene.reconcile(wider, WINDOW)
    assert (changed["frozen_total"], changed["is_clean"]) == (1, False)
    healed = scene.roll(wider, Interval(WINDOW.stop, WINDOW.stop + WINDOW.duration), heal="1h")
    assert healed["left"][0]["why"].startswith("frozen: the points of")
    after = scene.tiers()
    # the next hour, which was not purged, got the new aggregate
    pd.testing.assert_frame_equal(after[after["_field"] != "temp_max"].reset_index(drop=True), before)
    assert (after["_field"] == "temp_max").sum() == 1


@pytest.mark.recorded
def test_nothing_is_written_when_it_is_a_dry_run(scene: PurgeScene) -> None:
    before = scene.facts(), scene.files()
    result = scene.purge(dry_run=True)
    assert (result["rows_in"], result["state"], result["refused"]) == (4, "PLANNED", [])
    assert "would delete 4 points of 2 series" in scene.told[-1]
    scene.land()
    refused = scene.purge(dry_run=True)
    assert "the bucket has changed" in refused["refused"][0]["why"]
    assert (scene.facts() - as_facts(scene.points[-1:]), scene.files()) == before
    assert scene.mark_states() == []
    json.dumps(refused)


def test_window_is_rolled_up_and_purged_again_when_its_points_are_back(scene: PurgeScene) -> None:
    scene.purge()
    scene.write(inside())
    with pytest.raises(WindowFrozen):
        scene.roll(scene.hourly, WINDOW)
    steps = lift_purge(scene.ledger, scene.bucket, scene.measurement, WINDOW)
    assert drive(steps, scene.client, scene.tell) == [WINDOW]
    assert scene.mark_states() == ["lifted"]
    assert scene.roll(scene.hourly, WINDOW)["generation"] == 2
    assert scene.purge()["new"] == 1
    # nobody has lifted the mark: the purge finds that all points are back, and compares the tiers again
    scene.write(inside())
    assert scene.purge(now=PURGED_AT + timedelta(hours=1))["new"] == 1
    assert [tier["compared"] for tier in scene.certificates()[-1]["tiers"]] == [True, True]
    assert scene.facts() == as_facts(outside())
    assert scene.mark_states() == ["purged"]
    assert len(scene.certificates()) == 3
    scene.require_chain()
