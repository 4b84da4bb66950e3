"""Erasures as a task and as a command."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import WINDOW, point
from tests.scenes.erase_scene import EraseScene, make_erase_scene
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

SECRET = "customer-of-ours-4711"


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    """Two customers' points of one hour, archived and rolled up."""
    made = make_erase_scene(influx, client, tmp_path, tags={"customer": SECRET})
    for tags in (made.tags, {"customer": "7"}):
        made.add(point(1, tags, "temp", 1.0), point(2, tags, "temp", 2.0))
    made.roll(made.hourly, WINDOW)
    made.archive()
    return made


def operator(scene: EraseScene, **more: Any) -> EraseSeriesOperator:
    wanted = {"tags": scene.tags, "confirm": scene.bucket, **scene.parameters, **more}
    return EraseSeriesOperator(task_id="erase", **wanted)


def test_task_erases_all_time_and_shows_no_value_when_it_is_confirmed(
    scene: EraseScene, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    late = WINDOW.start + timedelta(days=40)
    # of another interval than the points
    context = make_context(data_interval_start=late, data_interval_end=late + timedelta(hours=1))
    with pytest.raises(AirflowFailException, match="confirm is not the name of the bucket"):
        operator(scene, confirm="raw").execute(context)
    planned = operator(scene, dry_run=True, confirm=None).execute(context)
    assert (planned["rows_in"], planned["state"], planned["certificate"]) == (2, "PLANNED", None)
    assert len(scene.rows()) == 4
    result = operator(scene, tags=json.dumps(scene.tags), require_archive="true").execute(context)
    assert (result["rows_in"], result["new"], result["certificate"]["number"]) == (2, 1, 1)
    assert {row[1] for row in scene.rows()} == {(("customer", "7"),)}
    assert scene.customers_in_files() == 0
    again = operator(scene).execute(context)
    assert (again["new"], again["certificate"]) == (0, result["certificate"])
    shown = json.dumps([planned, result, again]) + caplog.text + "".join(capfd.readouterr())
    assert SECRET not in shown


def test_only_an_interval_goes_when_start_and_stop_are_given(scene: EraseScene) -> None:
    with pytest.raises(AirflowFailException, match="only one of start and stop"):
        operator(scene, start=WINDOW.start).execute(make_context())
    after = {"start": "2025-03-08T01:00:00Z", "stop": "2025-03-08T02:00:00Z"}
    assert operator(scene, **after).execute(make_context())["places"] == {}
    assert len(scene.rows()) == 4
    inside = {"start": WINDOW.start.isoformat(), "stop": WINDOW.stop.isoformat()}
    assert operator(scene, **inside).execute(make_context())["rows_in"] == 2


def test_task_fails_for_good_without_the_value_when_tags_are_wrong(scene: EraseScene) -> None:
    for tags in ({}, "no json", {"customer": 4711}, {"customer": f"{SECRET}\ud83d"}):
        with pytest.raises(AirflowFailException) as caught:
            operator(scene, tags=tags).execute(make_context())
        assert "4711" not in str(caught.value)


@pytest.fixture
def words(scene: EraseScene, influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command."""
    monkeypatch.setenv("INFLUX_URL", influx.url)
    monkeypatch.setenv("INFLUX_ORG", influx.org)
    monkeypatch.setenv("INFLUX_TOKEN", influx.token)
    place = ["--bucket", scene.bucket, "--measurement", "m", "--ledger-bucket", scene.ledger]
    return ["erase", str(scene.base), *place, "--json", "--tag"]


def test_command_ends_well_without_pipelines_when_it_is_told_so(
    scene: EraseScene, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words[words.index("--ledger-bucket") + 1] = f"{scene.ledger}_of_nobody"
    assert main([*words, f"customer={SECRET}", "--no-pipelines", "--pipeline", "hourly"]) == 2
    capsys.readouterr()
    assert main([*words, f"customer={SECRET}", "--no-pipelines", "--yes"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == {}
    assert main([*words, "customer=7", "--yes"]) == 1
    assert len(json.loads(capsys.readouterr().out)["kept"]) == 1


def test_command_erases_only_when_it_is_told_yes(
    scene: EraseScene, words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tag = f"customer={SECRET}"
    assert main([*words, tag]) == 1
    assert json.loads(capsys.readouterr().out)["places"][f"source {scene.bucket}/m"] == 2
    assert len(scene.rows()) == 4
    key = tmp_path / "key"
    key.write_text("a secret of more than sixteen bytes")
    assert main([*words, tag, "--yes", "--key", str(key)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows_in"], answer["kept"], answer["is_right"]) == (2, {}, True)
    assert main([*words, tag]) == 0
    assert main([*words, "customer"]) == 2
    for edge in ("--from", "--to"):
        assert main([*words, tag, edge, "2025-03-09"]) == 2
    capsys.readouterr()
    folder = scene.folder
    checks = ["certificate", "verify", str(folder), "--archive", str(scene.base), "--json"]
    assert main([*checks, "--key", str(key), "--erased", tag]) == 0
    assert [one["kind"] for one in json.loads(capsys.readouterr().out)["certificates"]] == ["erase"]
    assert main([*checks, "--erased", "customer=7"]) == 1
    path = folder / "certificates" / "00000001.json"
    data = path.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 40)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert main(checks) == 1
