"""The command line with Airflow: the rollups of a DAG, and an Airflow connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.cli.from_airflow import connection_settings, rollups_of_dag
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from dev.influx_http import InfluxAddress
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.airflow, pytest.mark.live]

EXAMPLE = Path(__file__).resolve().parents[2] / "example_dags" / "shortest_rollup.py"
DAG = """
from datetime import datetime, timezone
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
import neighbour
print("printed while the file is parsed")
known = {"source_bucket": "raw", "target_bucket": neighbour.TARGET, "every": "1h", "aggregates": ["count"]}
with DAG("mixed", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=timezone.utc)):
    FluxRollupOperator(task_id="plain", measurement="m", start="{{ ds }}", **known)
    FluxRollupOperator(task_id="rendered", measurement="{{ params.m }}", **known)
    FluxRollupOperator(task_id="script", flux="from(bucket: v.b)", target_bucket="b", every="1h")
    FluxRollupOperator.partial(task_id="mapped", **known).expand(measurement=["a", "b"])
with DAG("nothing", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=timezone.utc)):
    FluxRollupOperator(task_id="rendered", measurement="{{ params.m }}", **known)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mixed.py").write_text(DAG)
    (tmp_path / "neighbour.py").write_text('TARGET = "rolled"\n')
    return tmp_path


def test_dag_is_planned_by_its_own_connection_when_nothing_else_names_a_server(
    new_organisation: Callable[[], InfluxAddress], tmp_path: Path
) -> None:
    place = new_organisation()
    place.fresh_buckets("raw_telemetry")
    lines = (f"sensor_readings,device_id=a temperature={n},humidity=1 {n * 10**9}" for n in range(3600))
    for _ in place.write("raw_telemetry", lines):
        pass
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX_")} | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection(),
    }

    span = ("--from", "1970-01-01", "--to", "1970-01-01T02:00:00Z")
    planned = ("plan", "--dag-id", "shortest_rollup", "--dags-folder", str(EXAMPLE), *span, "--json")
    done = subprocess.run(
        [sys.executable, "-m", "airflow_provider_influx_rollup.cli", *planned],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert place.token not in done.stdout + done.stderr
    (plan,) = json.loads(done.stdout)["pipelines"]
    assert plan["pipeline"] == "raw_telemetry/sensor_readings->rollup_hourly@1h"
    assert (plan["needed"]["windows"], plan["needed"]["points"]) == (2, 7200)


def test_connection_is_refused_when_airflow_does_not_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="no connection 'no_such_connection'"):
        connection_settings("no_such_connection", None)
    secret = "the-token-of-airflow"
    told = {
        "conn_type": "influx_rollup",
        "host": "http://h:1",
        "password": secret,
        "extra": {"org": "theirs"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_GOOD", json.dumps(told))
    settings = connection_settings("good", None)
    assert (settings.url, settings.org, settings.token(False)) == ("http://h:1", "theirs", secret)
    assert secret not in repr(settings)
    monkeypatch.setenv("AIRFLOW_CONN_GOOD", json.dumps(told | {"password": "rotated"}))
    assert (settings.token(False), settings.token(True)) == (secret, "rotated")
    assert connection_settings("good", "ours").org == "ours"


def test_task_returns_the_plan_when_it_is_a_dry_run(
    new_organisation: Callable[[], InfluxAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = new_organisation()
    place.fresh_buckets("raw", "rolled")
    for _ in place.write("raw", iter([f"m temp={n} {n * 10**9}" for n in range(0, 7200, 60)])):
        pass
    monkeypatch.setenv("AIRFLOW_CONN_PLANNED", place.connection())
    operator = FluxRollupOperator(
        task_id="rollup",
        source_bucket="raw",
        target_bucket="rolled",
        measurement="m",
        every="1h",
        aggregates=["count", "max"],
        start="1970-01-01T00:00:00Z",
        stop="1970-01-01T02:00:00Z",
        influx_conn_id="planned",
        dry_run=True,
    )
    result = operator.execute(make_context())
    assert (result["state"], result["plan"]["states"]["missing"]) == ("PLANNED", 2)
    needed = {name: result["plan"]["needed"][name] for name in ("windows", "points", "values", "seconds")}
    assert needed == {"windows": 2, "points": 120, "values": 4, "seconds": None}
    json.dumps(result)


def test_tasks_are_left_out_when_a_run_decides_what_they_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rollups = rollups_of_dag("mixed", str(folder))
    assert [spec.pipeline_name for spec in rollups.specs] == ["raw/m->rolled@1h"]
    assert rollups.conn_id == "influx_rollup_default"
    notes = sorted(rollups.notes)
    assert [note.split("'")[1] for note in notes] == ["mapped", "rendered", "script"]
    assert "measurement is rendered in a run only" in notes[1]
    assert "printed while" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("dag_id", "told"),
    [("nothing", "has no rollup that can be planned"), ("mixd", "there is no DAG 'mixd'.*To do:.*mixed")],
)
def test_dag_is_refused_when_it_cannot_be_planned(folder: Path, dag_id: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        rollups_of_dag(dag_id, str(folder))


def test_broken_file_is_named_when_a_dag_is_not_found(folder: Path) -> None:
    (folder / "broken.py").write_text("from airflow import DAG\nimport no_such_module\n")
    with pytest.raises(ConfigurationError, match=r"broken\.py: .*no_such_module"):
        rollups_of_dag("other", str(folder))
    with pytest.raises(ConfigurationError, match="no file or folder"):
        rollups_of_dag("other", str(folder / "none"))
