"""A ledger that forgets is refused by every verb that leans on what it remembers, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.validation.catalog import rules_of
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, WINDOW
from tests.scenes.erase_scene import EraseScene, make_erase_scene, points_of
from tests.scenes.purge_scene import ARCHIVED_AT, DAY, inside

pytestmark = pytest.mark.live

WEEK = 7 * 24 * 3600


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    made = make_erase_scene(influx, client, tmp_path)
    made.add(*inside(), *points_of({"customer": "42"}, 1.0))
    return made


def verbs(scene: EraseScene) -> dict[str, Callable[[], Any]]:
    script = f'''from(bucket: "{scene.bucket}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: 1h, fn: count) |> to(bucket: "{scene.rolled}")'''
    own = ScriptSpec(
        script=script,
        target_bucket=scene.rolled,
        grid=GridSpec("1h"),
        ledger_bucket=scene.ledger,
        pipeline="own",
    )
    rules = rules_of([{"rule": "range", "field": "temp", "high": 1}])
    validation = ValidateSpec(
        bucket=scene.bucket,
        measurement=scene.measurement,
        rules=rules,
        ledger_bucket=scene.ledger,
        quarantine_bucket="unused",
    )
    return {
        "rollup": lambda: scene.roll(scene.hourly, WINDOW),
        "script": lambda: drive(
            roll_up_by_script(own, WINDOW, RUN, lambda: ARCHIVED_AT), scene.client, scene.tell
        ),
        "reconcile": lambda: scene.reconcile(scene.hourly, DAY),
        "archive": scene.archive,
        "purge": scene.purge,
        "erase": lambda: scene.erase(require_archive=False),
        "validate": lambda: drive(
            validate(validation, WINDOW, RUN, lambda: ARCHIVED_AT), scene.client, scene.tell
        ).as_json(),
    }


@pytest.mark.parametrize("verb", ["rollup", "script", "reconcile", "archive", "purge", "erase", "validate"])
def test_ledger_is_refused_before_anything_is_written_when_it_forgets(verb: str, scene: EraseScene) -> None:
    scene.client.ensure_bucket(scene.ledger, WEEK)
    before = scene.facts()
    with pytest.raises(ConfigurationError, match="a ledger keeps forever") as caught:
        verbs(scene)[verb]()
    assert "set its retention to 0" in str(caught.value)
    assert scene.facts() == before
    assert not list(scene.base.rglob("*.parquet"))
    assert scene.client.find_bucket("unused") is None
