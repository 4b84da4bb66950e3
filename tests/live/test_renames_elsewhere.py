"""What else follows the id of a bucket: erasures, copies, organisations, and records of before there were ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.ledger.copies import CopiedTo
from airflow_provider_influx_rollup.windows.all_time import EVER
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.erase_scene import CUSTOMER, ERASED_AT, HOURS, EraseScene, make_filled_scene, without
from tests.scenes.purge_scene import ALWAYS, DAY, WINDOW
from tests.scenes.rename_scene import id_of, rename_bucket

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_filled_scene(influx, client, tmp_path)


def rename_all(scene: EraseScene) -> tuple[str, str, str]:
    """Every bucket is called otherwise; returns the old names."""
    old = scene.bucket, scene.rolled, scene.ledger
    scene.bucket, scene.rolled, scene.ledger = (
        rename_bucket(scene.server, name, f"{name}_renamed") for name in old
    )
    return old


def test_erasure_reaches_targets_and_files_when_all_buckets_were_renamed(scene: EraseScene) -> None:
    copies = f"{scene.bucket}_copies"
    scene.client.ensure_bucket(copies)
    ids = {"source_id": id_of(scene.server, scene.bucket), "copy_id": id_of(scene.server, copies)}
    copied = CopiedTo(
        validation="checks",
        source_bucket=scene.bucket,
        source_measurement=scene.measurement,
        bucket=copies,
        measurement="copied",
        **ids,
    )
    scene.client.write_lines(scene.ledger, [copied.line()])
    mine = f"copied,customer=42,device=a temp=1 {WINDOW.start_ns}\ncopied,customer=7 temp=2 {WINDOW.start_ns}"
    scene.client.write_payload(copies, mine.encode())
    before = {
        name: scene.rows(*place)
        for name, place in {
            "source": (scene.bucket, "m"),
            "hourly": (scene.rolled, "m"),
            "daily": (scene.rolled, "m_daily"),
        }.items()
    }
    rename_all(scene)
    copies = rename_bucket(scene.server, copies, f"{copies}_renamed")
    assert scene.customers_in_files() > 0
    result = scene.erase()
    assert set(result["kept"]) == {"merged"} - set(result["computed_again"])
    assert scene.rows() == without(before["source"], CUSTOMER)
    assert scene.rows(scene.rolled) == without(before["hourly"], CUSTOMER)
    assert scene.rows(scene.rolled, "m_daily") == without(before["daily"], CUSTOMER)
    assert scene.rows(copies, "copied") == without(scene.rows(copies, "copied"), CUSTOMER) != set()
    assert scene.customers_in_files() == 0


def forget_ids(scene: EraseScene) -> None:
    """Make the ledger one of before there were ids, by hand: records of specs and of folders as they were."""
    flux = f"""from(bucket: "{scene.ledger}") |> {ALWAYS}
        |> filter(fn: (r) => r._measurement == "pipeline_spec")
        |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")"""
    rows = query(scene.server.url, scene.server.org, scene.server.token, flux)
    for measurement in ("pipeline_spec", "archive_folder"):
        scene.client.delete(scene.ledger, EVER, f'_measurement="{measurement}"')
    lines = [
        f"pipeline_spec,pipeline={row['pipeline']},spec_hash={row['spec_hash']} "
        f"spec={quoted(row['spec'])},last_used_ns={int(row['last_used_ns']) - 1}i 0"
        for row in rows
    ]
    scene.client.write_lines(scene.ledger, lines)


def quoted(text: str) -> str:
    """A text of line protocol."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def forget_marks(scene: EraseScene) -> None:
    """The marks as they were before there were ids."""
    flux = f"""from(bucket: "{scene.ledger}") |> {ALWAYS}
        |> filter(fn: (r) => r._measurement == "purged_window")
        |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")"""
    rows = query(scene.server.url, scene.server.org, scene.server.token, flux)
    scene.client.delete(scene.ledger, EVER, '_measurement="purged_window"')
    lines = [
        f"purged_window,bucket={row['bucket']},length_ns={row['length_ns']},measurement={row['measurement']} "
        f"compared_at_ns={row['compared_at_ns']}i,generation={row['generation']}i,pipelines={quoted(row['pipelines'])},"
        f"state={quoted(row['state'])},stop_ns={row['stop_ns']}i {row['_time']}"
        for row in rows
    ]
    assert lines
    scene.client.write_lines(scene.ledger, lines)


def test_windows_of_a_ledger_without_ids_stay_done(scene: EraseScene) -> None:
    forget_ids(scene)
    result = scene.roll(scene.hourly, WINDOW)
    assert result["notes"] == []
    assert scene.reconcile(scene.hourly, DAY)["dirty_windows"] == []
    # that run knew the ids: from now on the spec follows them
    rename_all(scene)
    again = scene.roll(scene.hourly, WINDOW)
    assert again["notes"] == []
    assert again["pipeline"] == "hourly"


def test_purged_hour_of_a_ledger_without_ids_keeps_its_rows(scene: EraseScene) -> None:
    before = scene.rows(scene.rolled)
    scene.purge()
    forget_ids(scene)
    forget_marks(scene)
    with pytest.raises(WindowFrozen, match="were purged"):
        scene.roll(scene.hourly, WINDOW)
    # renamed before a run could know the id: nobody can tell, so rows are not replaced by fewer
    rename_all(scene)
    with pytest.raises(WindowFrozen, match="another bucket"):
        scene.roll(replace(scene.hourly, target_bucket=scene.rolled), WINDOW)
    assert scene.rows(scene.rolled) == before


def test_erasure_tells_of_pipelines_whose_bucket_it_cannot_know(scene: EraseScene) -> None:
    forget_ids(scene)
    rename_all(scene)
    result = scene.erase(require_archive=False)
    assert {"hourly", "merged"} <= set(result["kept"])
    assert "by an earlier name" in result["kept"]["hourly"]["why"]
    # as the message says: any window will do
    for spec in (scene.hourly, scene.merged):
        scene.roll(spec, HOURS[0])
    again = scene.erase(require_archive=False, now=ERASED_AT + timedelta(hours=1))
    assert again["certificate"]["number"] == result["certificate"]["number"] + 1
    assert "hourly" not in again["kept"]
    assert scene.rows(scene.rolled) == without(scene.rows(scene.rolled), CUSTOMER)


def test_marks_without_ids_follow_a_rename_when_a_run_has_seen_them(scene: EraseScene) -> None:
    before = scene.rows(scene.rolled)
    scene.purge()
    forget_ids(scene)
    forget_marks(scene)
    assert scene.archive()["new"] == 0
    old = scene.bucket
    rename_all(scene)
    with pytest.raises(WindowFrozen, match="were purged"):
        scene.roll(scene.hourly, WINDOW, force=True)
    assert scene.archive()["generation"] == 1
    # a new bucket of the old name is not marked
    scene.client.ensure_bucket(old)
    scene.bucket = old
    other = replace(scene.hourly, pipeline="other", target_measurement="other")
    assert scene.roll(other, WINDOW)["state"] == "COMMITTED"
    assert scene.rows(scene.rolled) == before
