"""Erasures with a ledger that knows no pipeline: each of them says that no rows were looked for, not only the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.steps.influx import Delete, Gather
from tests.conftest import InfluxServer
from tests.scenes.erase_scene import HOURS, EraseScene, Going, make_erase_scene, points_of, without
from tests.scenes.purge_scene import ARCHIVED_AT

pytestmark = pytest.mark.live

NOT_LOOKED_AT = "which pipelines hold the series is not known, and none was looked at"


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    """Two customers, archived and rolled up."""
    made = make_erase_scene(influx, client, tmp_path)
    made.fill()
    return made


def mistyped(scene: EraseScene) -> dict[str, Any]:
    """The erasure's archive with the name of a ledger that no pipeline has."""
    return {"archive": replace(scene.spec, ledger_bucket=f"{scene.ledger}_absent")}


def rows_left(scene: EraseScene) -> int:
    """How many rows of the customer the hourly tier has."""
    rolled = scene.rows(scene.rolled, scene.hourly.output_measurement)
    return len(rolled - without(rolled, scene.tags))


def require_told(scene: EraseScene, kept: dict[str, Any]) -> None:
    """That the ledger is named, in what is kept and in the log."""
    (name,) = kept
    assert name == f"any of ledger '{scene.ledger}_absent'"
    assert NOT_LOOKED_AT in kept[name]["why"]
    assert any(f"ledger '{scene.ledger}_absent': " in text and NOT_LOOKED_AT in text for text in scene.told)


def is_delete(step: object) -> bool:
    """Whether a step deletes points, alone or beside others."""
    return isinstance(step, Delete) or (isinstance(step, Gather) and any(map(is_delete, step.steps)))


def test_resumed_erasure_says_that_no_pipeline_is_known_when_its_first_run_made_the_ledger(
    scene: EraseScene,
) -> None:
    going = Going(scene, scene.erase_steps(**mistyped(scene)))
    while not is_delete(going.pending):
        assert going.advance()
    # the worker dies before its first delete, and Airflow tries again
    going.steps.close()
    scene.told.clear()
    result = scene.erase(**mistyped(scene))
    assert (result["new"], rows_left(scene)) == (1, 12)
    require_told(scene, result["kept"])
    require_told(scene, scene.erase_certificates()[0]["kept"])
    scene.erase()
    assert rows_left(scene) == 0
    assert set(scene.erase_certificates()[1]["kept"]) == set()


def test_each_erasure_says_that_no_pipeline_is_known_when_its_ledger_is_mistyped(scene: EraseScene) -> None:
    scene.erase(**mistyped(scene))
    scene.told.clear()
    scene.tags.update({"customer": "7"})
    require_told(scene, scene.erase(**mistyped(scene), dry_run=True)["kept"])
    scene.told.clear()
    result = scene.erase(**mistyped(scene))
    assert rows_left(scene) == 12
    require_told(scene, result["kept"])
    require_told(scene, scene.erase_certificates()[1]["kept"])
    # of one whose points are nowhere but in rows
    scene.tags.update({"customer": "gone"})
    scene.told.clear()
    nothing = scene.erase(**mistyped(scene))
    assert (nothing["new"], nothing["certificate"]) == (0, None)
    require_told(scene, nothing["kept"])


def test_archive_of_which_no_pipeline_reads_is_erased_and_says_that_none_is_known(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    scene = make_erase_scene(influx, client, tmp_path)
    scene.add(*points_of(scene.tags, 1.0), *points_of({"customer": "7"}, 10.0))
    scene.clock = ARCHIVED_AT
    scene.archive(*HOURS)
    result = scene.erase()
    assert (result["rows_in"], result["new"], scene.customers_in_files()) == (12, 1, 0)
    assert {row[1] for row in scene.rows()} == {
        (("customer", "7"), ("device", device)) for device in ("a", "b")
    }
    (why,) = (kept["why"] for kept in result["kept"].values())
    assert why.startswith("it knows no pipeline")
    assert scene.erase_certificates()[0]["kept"] == result["kept"]


@pytest.mark.parametrize("has_ledger", [True, False])
def test_erasure_keeps_nothing_when_it_was_told_that_there_are_no_pipelines(
    scene: EraseScene, *, has_ledger: bool
) -> None:
    archive = scene.spec if has_ledger else mistyped(scene)["archive"]
    result = scene.erase(archive=archive, pipelines=())
    assert (result["new"], rows_left(scene)) == (1, 12)
    # a ledger that knows some is not believed to know none
    kept = {"hourly", "daily", "merged"} if has_ledger else set()
    assert set(result["kept"]) == set(scene.erase_certificates()[0]["kept"]) == kept
    assert any(NOT_LOOKED_AT in text for text in scene.told) is False
