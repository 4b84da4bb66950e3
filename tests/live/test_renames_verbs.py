"""All verbs after each kind of rename, also of the organisation: the same values, the same windows, one chain of proofs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.lifecycle.doctor.doctor import examine
from airflow_provider_influx_rollup.lifecycle.plan.coverage import coverage
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import client_of
from tests.scenes.purge_scene import DAY, HOUR, PURGED_AT, WINDOW, PurgeScene, make_purge_scene, point
from tests.scenes.rename_scene import rename_bucket
from tests.scenes.validation_runs import HOUR as HOUR_OF_CHECKS
from tests.scenes.validation_runs import START_NS, run, stored

pytestmark = pytest.mark.live
NEXT = Interval(WINDOW.stop, WINDOW.stop + WINDOW.duration)
RENAMES = [
    ("bucket",),
    ("rolled",),
    ("ledger",),
    ("bucket", "rolled"),
    ("bucket", "rolled", "ledger"),
    ("bucket", "bucket"),
]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    made = make_purge_scene(influx, client, tmp_path)
    made.add(point(HOUR + 5, {"device": "a"}, "temp", 4.0))
    made.roll(made.hourly, DAY)
    made.roll(made.daily, DAY)
    made.archive(NEXT)
    return made


def rename(scene: PurgeScene, which: tuple[str, ...], suffix: str) -> None:
    """Give buckets other names, and the scene their new ones."""
    for name in which:
        old = getattr(scene, name)
        setattr(scene, name, rename_bucket(scene.server, old, f"{old}_{suffix}"))


def examine_all(scene: PurgeScene, *, purged: bool) -> None:
    """Every verb of pipelines, over the hour that is or is not purged, and the next one."""
    assert scene.roll(scene.hourly, NEXT)["notes"] == []
    if purged:
        with pytest.raises(WindowFrozen, match="were purged"):
            scene.roll(scene.hourly, WINDOW, force=True)
    else:
        assert scene.roll(scene.hourly, WINDOW)["notes"] == []
    for spec in (scene.hourly, scene.daily):
        found = scene.reconcile(spec, DAY)
        assert (found["dirty_windows"], found["pipeline"]) == ([], spec.pipeline)
        covered = drive(coverage(spec, DAY, PURGED_AT), scene.client, scene.tell)
        assert covered.is_complete


@pytest.mark.parametrize("which", RENAMES, ids="+".join)
def test_values_and_proofs_stay_when_buckets_are_renamed(scene: PurgeScene, which: tuple[str, ...]) -> None:
    before = scene.tiers()
    folder = scene.folder
    rename(scene, which, "once")
    examine_all(scene, purged=False)
    assert scene.archive(WINDOW, NEXT)["new"] == 0
    assert scene.purge()["new"] == 1
    examine_all(scene, purged=True)
    rename(scene, which, "twice")
    examine_all(scene, purged=True)
    assert scene.archive(WINDOW, NEXT)["new"] == 0
    assert (scene.purge()["new"], scene.purge(NEXT)["new"]) == (0, 1)
    assert scene.tiers().equals(before)
    certificates = sorted(folder.glob("certificates/*"))
    assert len(certificates) == 2
    values = [json.loads(path.read_bytes()) for path in certificates]
    # of one bucket, whatever it was called
    assert len({(one["org"], one["bucket"], one["bucket_id"]) for one in values}) == 1
    findings = drive(
        examine(
            scene.ledger, lambda: PURGED_AT, stuck_after=WINDOW.duration, drift_since=100 * WINDOW.duration
        ),
        scene.client,
        scene.tell,
    )
    (names,) = [one for one in findings if one.check == "names"]
    assert ("renamed buckets" in names.message) == (which != ("ledger",))


def test_points_leave_the_quarantine_when_buckets_were_renamed(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Callable[[], str]
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    client.write_lines(bucket, [f"m temp={value} {START_NS + n}" for n, value in enumerate((1, 99, 98))])
    rules = rules_of([{"rule": "range", "field": "temp", "high": 50}])
    spec = ValidateSpec(
        bucket=bucket, measurement="m", rules=rules, quarantine_bucket=quarantine, ledger_bucket=ledger
    )
    assert run(client, spec, HOUR_OF_CHECKS)["quarantined"] == 2
    for _ in range(2):
        bucket = rename_bucket(influx, bucket, f"{bucket}_renamed")
        quarantine = rename_bucket(influx, quarantine, f"{quarantine}_renamed")
        spec = replace(spec, bucket=bucket, quarantine_bucket=quarantine)
        assert run(client, spec, HOUR_OF_CHECKS)["quarantined"] == 2
        # once each, and not once for each name
        assert sorted(stored(influx, quarantine, "m")["_value"]) == [98.0, 99.0]
    client.write_lines(bucket, [f"m temp=2 {START_NS + 1}"])
    assert run(client, spec, HOUR_OF_CHECKS)["quarantined"] == 1
    assert list(stored(influx, quarantine, "m")["_value"]) == [98.0]


def test_archive_and_marks_stay_when_the_organisation_is_renamed(
    influx: InfluxServer, tmp_path: Path
) -> None:
    address = InfluxAddress(influx.url, influx.org, influx.token)
    old, new = (f"org_{uuid.uuid4().hex[:8]}" for _ in range(2))
    address.new_organisation(old)
    (organisation,) = address.request("GET", "/api/v2/orgs", org=old)["orgs"]
    try:
        with closing(client_of(replace(influx, org=old))) as client:
            scene = make_purge_scene(replace(influx, org=old), client, tmp_path)
            scene.purge()
            folder = scene.folder
        address.request("PATCH", f"/api/v2/orgs/{organisation['id']}", json.dumps({"name": new}).encode())
        with closing(client_of(replace(influx, org=new))) as client:
            scene.server, scene.client = replace(influx, org=new), client
            before = scene.tiers()
            with pytest.raises(WindowFrozen, match="were purged"):
                scene.roll(scene.hourly, WINDOW)
            result = scene.archive()
            assert (result["new"], result["rows_out"]) == (0, 4)
            assert result["path"].endswith(str(folder.relative_to(scene.base)))
            assert scene.purge()["new"] == 0
            assert scene.tiers().equals(before)
            assert not scene.folder.exists()
    finally:
        address.request("DELETE", f"/api/v2/orgs/{organisation['id']}")
