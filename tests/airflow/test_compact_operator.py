"""Compaction and export as tasks and as commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.compact import CompactArchiveOperator
from airflow_provider_influx_rollup.operators.export import ExportArchiveOperator
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import facts_of
from tests.scenes.compact_scene import DAY, CompactScene, make_compact_scene
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> CompactScene:
    return make_compact_scene(influx, client, tmp_path)


def operator(scene: CompactScene, **more: Any) -> CompactArchiveOperator:
    wanted = {"into": "1d", "start": DAY.start, "stop": DAY.stop, **scene.parameters, **more}
    return CompactArchiveOperator(task_id="compact", **wanted)


def test_task_and_command_compact_the_day(
    scene: CompactScene, capsys: pytest.CaptureFixture[str], influx: InfluxServer
) -> None:
    planned = operator(scene, dry_run=True).execute(make_context())
    assert (planned["new"], planned["state"], planned["dry_run"]) == (1, "PLANNED", True)
    later = operator(scene, start=DAY.stop, stop=DAY.stop + DAY.duration, delay="1d", remove_small="true")
    results = operator(scene, measurement=["m"], pipeline="p").execute(make_context())
    (made,) = results
    assert (made["new"], made["rows_out"], made["pipeline"]) == (1, 28, "p")
    assert len(json.dumps(results)) < 1_500
    # a wrong name must not be green forever
    with pytest.raises(AirflowFailException, match="none has no archive at all"):
        operator(scene, measurement=["m", "none"], pipeline="p").execute(make_context())
    assert later.execute(make_context())["new"] == 0
    assert scene.stored(DAY) == facts_of(scene.points)
    capsys.readouterr()  # what Airflow says
    place = ["compact", str(scene.base), "--org", influx.org, "--bucket", scene.bucket, "--measurement", "m"]
    code = main([*place, "--into", "1d", "--from", "2025-03-08", "--to", "2025-03-09", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["is_right"], told["new"], told["small_windows"]) == (0, True, 0, 4)
    (manifest,) = scene.manifests(DAY).values()
    assert set(manifest["versions"]) == {"airflow-provider-influx-rollup", "pyarrow"}
    assert manifest["run"]["dag_id"] == "d"


def test_it_fails_for_good_when_what_is_asked_for_cannot_be(scene: CompactScene) -> None:
    for changes, what in (
        ({"into": "{{ '1 day' }}"}, "InvalidDuration"),
        ({"min_age": "{{ 'x' }}"}, "InvalidDuration"),
        ({"remove_small": "perhaps"}, "neither true nor false"),
        ({"into": "1h"}, "has an archive of its own"),
    ):
        task, context = operator(scene, **changes), make_context()
        task.render_template_fields(context)
        with pytest.raises(AirflowFailException, match=what):
            task.execute(context)


def test_export_runs_as_task_and_as_command(
    scene: CompactScene, capsys: pytest.CaptureFixture[str], influx: InfluxServer, tmp_path: Path
) -> None:
    table = tmp_path / "table"
    wanted = {
        "task_id": "export",
        **scene.parameters,
        "table": str(table),
        "start": DAY.start,
        "stop": DAY.stop,
    }
    assert ExportArchiveOperator(dry_run=True, **wanted).execute(make_context())["state"] == "PLANNED"
    made = ExportArchiveOperator(**wanted).execute(make_context())
    assert (made["commits"], made["rows_out"], made["table"]) == (4, 28, str(table))
    assert len(json.dumps(made)) < 1_000
    with pytest.raises(AirflowFailException, match="table_format='iceberg' is not possible"):
        ExportArchiveOperator(table_format="iceberg", **wanted).execute(make_context())
    with pytest.raises(ConfigurationError, match="path of the table holds a key or password"):
        ExportArchiveOperator(**{**wanted, "table": "s3://key:secret@lake/table"})
    elsewhere = {**wanted, "table": "s3://lake_conn@lake/table"}
    with pytest.raises(AirflowFailException, match="names connection 'lake_conn', which is not that of"):
        ExportArchiveOperator(**elsewhere).execute(make_context())
    capsys.readouterr()  # what Airflow says
    place = ["export", str(scene.base), "--org", influx.org, "--bucket", scene.bucket, "--measurement", "m"]
    code = main([*place, "--table", str(table), "--from", "2025-03-08", "--to", "2025-03-09", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["is_right"], told["commits"], told["unchanged"]) == (0, True, 0, 4)
