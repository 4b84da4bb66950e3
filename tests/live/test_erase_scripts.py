"""Scripts that may have read a series which is erased are named by the result and the certificate: their rows are still there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, WINDOW, point
from tests.scenes.erase_scene import CUSTOMER, EraseScene, make_erase_scene
from tests.scenes.purge_scene import ARCHIVED_AT

pytestmark = pytest.mark.live

READ = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
OF_LIMITS = 'filter(fn: (r) => r._measurement == "limits")'
OUT = 'map(fn: (r) => ({r with _time: v.timeRangeStart, _measurement: "own"})) |> to(bucket: "TARGET")'
ALL = f'union(tables: [from(bucket: "NAME") |> {READ} |> {OF_LIMITS}, from(bucket: "NAME") |> {READ}]) |> sum() |> {OUT}'
SCRIPTS = {
    "one of two reads names another measurement": ALL,
    "id": f'from(bucketID: "ID") |> {READ} |> sum() |> {OUT}',
    "two texts": f'from(bucket: "BEGIN" + "END") |> {READ} |> sum() |> {OUT}',
    "rows of a rollup": f'from(bucket: "ROLLUPS") |> {READ} |> last() |> {OUT}',
}


@dataclass
class ScriptScene(EraseScene):
    """A point of a customer, its rollup, a point of another measurement, and a bucket for what a script makes of them."""

    own: str = ""


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ScriptScene:
    made = make_erase_scene(influx, client, tmp_path)
    scene = ScriptScene(influx, client, made.base, made.bucket, made.ledger, measurement="humidity")
    scene.add(point(5, CUSTOMER, "temp", 2.5))
    # names that have nothing of the source's
    scene.rolled, scene.own = (f"{name}{scene.bucket[::-1]}" for name in ("rolled", "own"))
    for name in (scene.rolled, scene.own):
        client.ensure_bucket(name)
    scene.roll(scene.hourly, WINDOW)
    client.write_lines(scene.bucket, [f"limits,device=a temp=1 {WINDOW.start_ns + 1}"])
    return scene


def run(scene: ScriptScene, script: str) -> None:
    found = scene.client.find_bucket(scene.bucket)
    assert found is not None
    names = {"NAME": scene.bucket, "ID": found.id, "BEGIN": scene.bucket[:4], "END": scene.bucket[4:]}
    for name, value in {**names, "TARGET": scene.own, "ROLLUPS": scene.rolled}.items():
        script = script.replace(f'"{name}"', f'"{value}"')
    spec = ScriptSpec(
        script=script,
        target_bucket=scene.own,
        grid=GridSpec("1h"),
        ledger_bucket=scene.ledger,
        pipeline="own",
        on_raw_read="allow",
    )
    drive(roll_up_by_script(spec, WINDOW, RUN, lambda: ARCHIVED_AT), scene.client, scene.tell)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_script_is_named_however_it_says_what_it_reads(scene: ScriptScene, script: str) -> None:
    run(scene, script)
    assert any(("customer", CUSTOMER["customer"]) in tags for _, tags, *_ in scene.rows(scene.own, "own"))
    result = scene.erase(require_archive=False)
    assert set(result["kept"]) == {"own"}
    assert "own" in scene.erase_certificates()[-1]["kept"]


def test_script_that_reads_another_measurement_only_is_not_named(scene: ScriptScene) -> None:
    run(scene, f'from(bucket: "NAME") |> {READ} |> {OF_LIMITS} |> sum() |> {OUT}')
    assert scene.erase(require_archive=False)["kept"] == {}
