"""A validation that copies points for the first time while their series are erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import SourceChanging
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.validation.catalog import rules_of
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, WINDOW, point
from tests.scenes.erase_scene import CUSTOMER, EraseScene, Going, make_erase_scene
from tests.scenes.purge_scene import ARCHIVED_AT

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_erase_scene(influx, client, tmp_path)


def finish(going: Going) -> None:
    """Act out all that is left."""
    while going.advance():
        pass


def test_no_certificate_when_a_validation_copies_the_points_for_the_first_time_meanwhile(
    scene: EraseScene, client: InfluxClient
) -> None:
    scene.add(point(1, CUSTOMER, "temp", 99.0), point(1, {"customer": "7"}, "temp", 98.0))
    scene.archive(WINDOW)
    copies = f"{scene.bucket}_copies"
    spec = ValidateSpec(
        bucket=scene.bucket,
        measurement="m",
        rules=rules_of([{"rule": "range", "field": "temp", "high": 50}]),
        quarantine_bucket=copies,
        ledger_bucket=scene.ledger,
    )
    going = Going(scene, scene.erase_steps())
    while not isinstance(going.pending, Delete):
        assert going.advance(), going.seen
    drive(validate(spec, WINDOW, RUN, lambda: ARCHIVED_AT), client, scene.tell)
    with pytest.raises(SourceChanging, match=f"copies points to '{copies}/m'"):
        finish(going)
    assert scene.erase_certificates() == []
    scene.erase()
    assert len(scene.erase_certificates()) == 1
    assert {dict(row[1])["customer"] for row in scene.rows(copies)} == {"7"}
