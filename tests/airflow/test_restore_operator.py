"""The restore operator as a task runs it, and the commands about archives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.restore import RestoreArchiveOperator
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.plain_points import Point, values_of
from tests.scenes.restore_scene import DAY, HOUR, START, Scene, hours, make_scene
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

POINTS = [
    Point(
        (("device", device),),
        "temp",
        "float",
        number + 0.5,
        int((START + number * HOUR / 4).timestamp()) * 10**9,
    )
    for device in ("a", "b")
    for number in range(8)
]


@pytest.fixture
def scene(client: InfluxClient, influx: Any, bucket_factory: Callable[[str], str], tmp_path: Path) -> Scene:
    made = make_scene(client, influx, bucket_factory, tmp_path)
    made.measurement = "m"
    made.plain.write(made.source, "m", POINTS)
    return made


def operator(scene: Scene, **more: Any) -> RestoreArchiveOperator:
    wanted = {
        "task_id": "restore",
        "influx_conn_id": "tele",
        "path": str(scene.folder),
        "measurement": "m",
        "source_bucket": scene.source,
        "target_bucket": scene.target,
        "ledger_bucket": scene.ledger,
        "start": START,
        "stop": START + 2 * HOUR,
        **more,
    }
    return RestoreArchiveOperator(**wanted)


def test_points_are_restored_and_lifted_when_a_task_runs(scene: Scene) -> None:
    scene.archive(list(hours(2)))
    planned = operator(scene, dry_run=True).execute(make_context())
    assert (planned["state"], planned["rows_archived"], planned["equal"]) == ("PLANNED", 16, 0)
    assert scene.plain.read(scene.target, "m") == {}
    result = operator(scene, overwrite="false").execute(make_context())
    assert scene.plain.read(scene.target, "m") == values_of(POINTS)
    assert (result["windows"], result["rows_out"], result["state"]) == (2, 16, "RESTORED")
    assert len(json.dumps(result)) < 1_000
    both = operator(scene, measurement=["m"], target_bucket=None).execute(make_context())
    assert [one["rows_out"] for one in both] == [0]
    receipts = scene.client.query(
        f'from(bucket: "{scene.ledger}") |> range(start: 0)'
        ' |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "restore" and r._field == "rows_out")'
    )
    assert sorted(row["_value"] for row in receipts) == [0, 0, 8, 8]


def test_the_task_fails_for_good_when_the_target_has_other_points(scene: Scene) -> None:
    scene.archive(list(hours(2)))
    other = Point(POINTS[0].tags, "temp", "float", -1.0, POINTS[0].time_ns)
    scene.plain.write(scene.target, "m", [other])
    with pytest.raises(AirflowFailException, match="RestoreConflict"):
        operator(scene).execute(make_context())
    assert scene.plain.read(scene.target, "m") == values_of([other])
    with pytest.raises(AirflowFailException, match="ArchiveMissing"):
        operator(scene, stop=START + 3 * HOUR).execute(make_context())
    assert operator(scene, overwrite=True).execute(make_context())["replaced"] == 1


def test_wrong_parameters_are_told_before_anything_is_asked() -> None:
    with pytest.raises(ConfigurationError, match="holds a key or password"):
        RestoreArchiveOperator(task_id="x", path="s3://key:secret@lake/x", measurement="m", source_bucket="b")
    mixed = RestoreArchiveOperator(
        task_id="x",
        influx_conn_id="tele",
        path="/tmp/x",  # noqa: S108 - never opened
        measurement=["a", "b"],
        source_bucket="b",
        target_measurement="c",
        start=START,
        stop=DAY.stop,
    )
    with pytest.raises(AirflowFailException, match="would mix 2 measurements"):
        mixed.execute(make_context())


@pytest.fixture
def ask(
    scene: Scene, influx: InfluxServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    for name, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)

    def run(command: str, *more: str) -> tuple[int, dict[str, Any]]:
        place = [command, str(scene.folder), "--bucket", scene.source, "--measurement", "m"]
        code = main([*place, *more, "--ledger-bucket", scene.ledger, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_commands_archive_verify_list_and_restore(scene: Scene, ask: Callable[..., Any]) -> None:
    times = ("--from", START.isoformat(), "--to", (START + 2 * HOUR).isoformat())
    code, told = ask("archive", *times, "--every", "1h", "--dry-run")
    assert (code, told.get("due"), scene.parquet_files()) == (0, 2, []), told
    code, told = ask("archive", *times, "--every", "1h")
    assert (code, told["windows"], told["rows_out"]) == (0, 2, 16)
    # long after the archived windows
    assert ask("catalog", "--last", "1h")[0] == 1
    assert ask("archive", "--verify", "--last", "1h")[0] == 1
    code, told = ask("catalog")
    assert (code, [window["rows"] for window in told["windows"]]) == (0, [8, 8])
    assert (
        ask("catalog", "--rebuild", "--from", (START + HOUR).isoformat(), "--to", DAY.stop.isoformat())[0]
        == 0
    )
    code, told = ask("restore", *times, "--target-bucket", scene.target, "--dry-run")
    assert (code, told["rows_archived"], told["equal"]) == (0, 16, 0)
    code, told = ask("restore", *times, "--target-bucket", scene.target)
    assert (code, told["rows_out"]) == (0, 16)
    assert scene.plain.read(scene.target, "m") == values_of(POINTS)
    assert [one["problem"] for one in ask("archive", "--verify")[1]["generations"]] == ["", ""]


def test_verify_finds_a_window_when_its_folder_is_gone(scene: Scene, ask: Callable[..., Any]) -> None:
    scene.archive([Interval(START + n * HOUR, START + (n + 1) * HOUR) for n in range(3)])
    assert ask("catalog", "--rebuild")[0] == 0
    shutil.rmtree(next(scene.folder.rglob(f"window={START + HOUR:%Y%m%dT%H%M%SZ}_*Z")))
    code, told = ask("archive", "--verify")
    problems = [one["problem"] for one in told["generations"]]
    assert (code, len(problems), problems[0], problems[2]) == (1, 3, "", "")
    assert "the index of the archive names it" in problems[1]
    beside = ("--from", (START + 2 * HOUR).isoformat(), "--to", (START + 3 * HOUR).isoformat())
    assert ask("archive", "--verify", *beside)[0] == 0


def test_verify_and_catalog_name_the_interval_when_it_has_no_archive(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], influx: InfluxServer
) -> None:
    monkeypatch.setenv("INFLUX_ORG", influx.org)
    scene.archive([DAY])
    place = [str(scene.folder), "--bucket", scene.source, "--measurement", "m"]
    for command in (["archive", *place, "--verify"], ["catalog", *place]):
        assert main([*command, "--from", "2024-01-01", "--to", "2024-01-02"]) == 1
        assert "has no archive of [2024-01-01T00:00:00Z, 2024-01-02T00:00:00Z)" in capsys.readouterr().err


def test_verify_finds_a_flipped_bit_in_any_file(scene: Scene, ask: Callable[..., Any]) -> None:
    scene.archive([DAY])
    (window,) = (path for path in scene.folder.rglob("window=*") if path.is_dir())
    for path in [path for path in window.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        for place in range(0, len(whole), max(1, len(whole) // 20)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            code, told = ask("archive", "--verify")
            assert (code, len(told["generations"])) == (1, 1), (path, place)
            assert told["generations"][0]["problem"]
        path.write_bytes(whole)
    assert ask("archive", "--verify")[0] == 0
    path = scene.parquet_files()[0]
    path.unlink()
    assert ask("archive", "--verify")[0] == 1
