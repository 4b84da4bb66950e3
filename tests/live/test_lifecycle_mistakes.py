"""What a newcomer gets wrong in a lifecycle file: told before anything is done, by name, and once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from tests.scenes.lifecycle_scene import NAMES, PARTS, SPAN, Ask, Scene, needed, rolled

pytestmark = pytest.mark.live

YEAR = 365 * 86_400


def kept_seconds(scene: Scene, bucket: str) -> int | None:
    found = scene.client.find_bucket(bucket)
    return None if found is None else found.retention_seconds


def test_measurement_is_named_when_a_near_one_was_meant(
    scene: Scene, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    path = scene.declare(measurement="swp")
    wanted = (
        f"bucket '{scene.raw}' has no measurement 'swp', so that all its windows are empty; it has 'swap'"
    )
    assert main(["plan", "--lifecycle", path, *SPAN]) == 0
    assert wanted in capsys.readouterr().err
    assert main(["run", path, *SPAN]) == 0
    assert capsys.readouterr().err.splitlines().count(wanted) == 1
    code, told = ask("rollup", path, "--again", *SPAN)
    notes = [stage["result"]["notes"] for stage in told["measurements"][0]["stages"]]
    assert (code, [wanted in some for some in notes]) == (0, [True, False, False])


def test_field_is_named_when_a_near_one_was_meant(
    scene: Scene, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    tiers = [{"bucket": scene.minutes, "every": "30m", "aggregates": {"usge*": ["sum"], "uptime": ["last"]}}]
    path = scene.declare(measurement="cpu", tiers=tiers)
    wanted = (
        f"measurement 'cpu' of bucket '{scene.raw}' has no field 'uptime', 'usge*', of which nothing is rolled up; "
        "it has 'usage'"
    )
    assert main(["plan", "--lifecycle", path, *SPAN]) == 0
    assert wanted in capsys.readouterr().err
    code, told = ask("run", path, *SPAN)
    (stage,) = told["measurements"][0]["stages"]
    assert (code, stage["result"]["notes"].count(wanted)) == (0, 1)
    # a name that is right is asked for no more, even when its points are of another time
    path = scene.declare(measurement="cpu", fields=["usage"])
    code, told = ask("rollup", path, "--from", "2025-05-01", "--to", "2025-05-02")
    assert code == 0
    assert not [
        note for note in told["measurements"][0]["stages"][0]["result"]["notes"] if "no field" in note
    ]


def test_nothing_is_asked_about_measurements_when_there_are_points(
    scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    query_rows = InfluxClient.query_rows

    def watched(client: InfluxClient, flux: str, *more: Any, **options: Any) -> Any:
        asked.append(flux)
        return query_rows(client, flux, *more, **options)

    monkeypatch.setattr(InfluxClient, "query_rows", watched)
    assert ask("rollup", scene.declare(measurement="cpu"), *SPAN)[0] == 0
    assert asked
    names = ('distinct(column: "_measurement")', 'distinct(column: "_field")')
    assert not [flux for flux in asked if any(name in flux for name in names)]


def test_bucket_is_changed_only_when_it_is_allowed(scene: Scene, ask: Ask) -> None:
    made = f"{scene.raw}_new"
    buckets = [{"name": scene.hours, "retention": "20y"}, {"name": made, "retention": "30y"}]
    tiers = [*scene.values()["tiers"][:2], {"bucket": made, "every": "1d"}]
    path = scene.declare(measurement="cpu", buckets=buckets, tiers=tiers)
    code, told = ask("run", path, *SPAN)
    assert code == 2
    assert f"bucket '{scene.hours}': retention is forever, becomes 7300d" in told["error"]["message"]
    assert "give --yes" in told["error"]["message"]
    assert (kept_seconds(scene, scene.hours), kept_seconds(scene, made)) == (0, None)
    code, told = ask("run", path, *SPAN, "--yes")
    assert (code, len(told["buckets"]["changes"])) == (0, 2)
    assert (kept_seconds(scene, scene.hours), kept_seconds(scene, made)) == (20 * YEAR, 30 * YEAR)
    code, told = ask("run", path, *SPAN)
    assert (code, told["buckets"]["changes"], set(rolled(told).values())) == (0, [], {0})


def test_missing_buckets_are_made_by_a_run_and_named_by_its_plan(scene: Scene, ask: Ask) -> None:
    names = [f"{scene.raw}_{every}" for every in ("30m", "1h", "1d")]
    tiers = [
        {"bucket": name, "every": every, "aggregates": PARTS}
        for name, every in zip(names, ("30m", "1h", "1d"), strict=True)
    ]
    path = scene.declare(tiers=tiers)
    code, told = ask("run", path, *SPAN)
    assert (code, [name in told["error"]["message"] for name in names]) == (2, [True] * 3)
    path = scene.declare(tiers=tiers, buckets=[{"name": name} for name in names])
    code, planned = ask("plan", "--lifecycle", path, *SPAN)
    assert (code, planned["buckets_to_make"]) == (0, names)
    code, told = ask("rollup", path, *SPAN)
    assert (code, "influx-rollup buckets" in told["error"]["message"]) == (2, True)
    code, told = ask("run", path, *SPAN)
    assert (code, rolled(told)) == (0, needed(planned))
    assert set(rolled(told).values()) == {48, 24, 1}


def test_targets_of_others_are_refused_before_buckets_are_changed(scene: Scene, ask: Ask) -> None:
    path = scene.declare(measurement=["cpu", "mem"])
    assert ask("run", path, *SPAN)[0] == 0
    tiers = scene.values()["tiers"]
    tiers[0]["aggregates"] = [*PARTS, "last"]
    tiers.insert(1, {"bucket": scene.shifts, "every": "1h", "aggregates": PARTS})
    # the hours have no name, and are made of another tier now
    changed = {
        "measurement": ["cpu", "mem"],
        "tiers": [tiers[0], tiers[1], {**tiers[2], "every": "1h"}, tiers[3]],
    }
    path = scene.declare(**changed, buckets=[{"name": scene.minutes, "retention": "30y"}])
    for command in (("plan", "--lifecycle", path), ("run", path, "--yes")):
        code, told = ask(*command, *SPAN)
        assert code == 2
        message = told["error"]["message"]
        assert (
            f"'{scene.shifts}/cpu->{scene.hours}@1h' those of '{scene.minutes}/cpu->{scene.hours}@1h'"
            in message
        )
        assert f"name: '{scene.minutes}/{{measurement}}->{scene.hours}@1h'" in message
        assert kept_seconds(scene, scene.minutes) == 0
    # with the name that is advised it goes on
    changed["tiers"][2]["name"] = f"{scene.minutes}/{{measurement}}->{scene.hours}@1h"
    path = scene.declare(**changed)
    planned = needed(ask("plan", "--lifecycle", path, *SPAN)[1])
    code, told = ask("run", path, *SPAN)
    # the hours come out as they were, so that the day of them is right
    assert {planned.pop(f"days:{name}") for name in ("cpu", "mem")} == {1}
    assert (code, rolled(told)) == (0, {**planned, "days:cpu": 0, "days:mem": 0})
    assert scene.differences(scene.hours, "1h", PARTS, "cpu", "mem") == []


def test_error_of_all_measurements_is_told_once(
    scene: Scene, ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scene.declare()
    monkeypatch.setenv("INFLUX_TOKEN", "wrong")
    assert main(["run", path, *SPAN]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "give a valid API token in INFLUX_TOKEN, the file of --token-file, or" in told[0]
    assert "into the connection" not in told[0]


def test_error_of_several_measurements_is_told_once(
    scene: Scene, capsys: pytest.CaptureFixture[str], ask: Ask
) -> None:
    archive = {"path": "s3://lake", "path_conn_id": "lake"}
    code = main(["run", scene.declare(archive=archive), *SPAN])
    told = capsys.readouterr().err.splitlines()
    assert (code, len(told)) == (2, len(NAMES))
    assert told[1:] == [f"{name}: the same" for name in NAMES[1:]]


@pytest.mark.parametrize(
    ("command", "place"),
    [("purge", "archive.purge_after"), ("validate", "validation"), ("deadman", "deadman")],
)
def test_parameter_is_named_when_a_stage_is_not_declared(
    scene: Scene, ask: Ask, command: str, place: str
) -> None:
    code, told = ask(command, scene.declare(), *SPAN)
    assert (code, f"declares no {command}, which is {place}" in told["error"]["message"]) == (2, True)


def test_folder_is_made_when_init_writes_into_it(scene: Scene, ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "dags"
    code, _ = ask("init", "--bucket", scene.raw, "--folder", str(folder))
    assert (code, len(list(folder.iterdir()))) == (0, 2)


def test_plan_begins_where_a_run_begins_when_only_a_length_is_given(scene: Scene, ask: Ask) -> None:
    path = scene.declare(measurement="cpu")
    last = ("--to", "2025-03-02T03:00:00Z", "--last", "1d")
    planned = list(needed(ask("plan", "--lifecycle", path, *last)[1]).values())
    done = list(rolled(ask("run", path, *last)[1]).values())
    # the second day waits for its hours
    assert (planned, done) == ([54, 27, 2], [54, 27, 1])


def test_run_is_right_when_a_reconcile_has_put_all_right(scene: Scene, ask: Ask) -> None:
    ago = [datetime.now(UTC) - timedelta(minutes=10 * at) for at in range(1, 60)]
    scene.client.write_lines(
        scene.raw, [f"fresh,host=a usage=1 {int(at.timestamp())}000000000" for at in ago]
    )
    path = scene.declare(measurement="fresh", reconcile="6h")
    code, told = ask("run", path, "--last", "2h")
    (found,) = [one for one in told["measurements"][0]["stages"] if one["stage"] == "reconcile"]
    # the hours that begin before the lookback wait for half hours that it does not reach
    assert (code, found["result"]["dirty_total"]) == (0, found["result"]["repaired"]["windows"])
    assert found["result"]["dirty_total"] > 0
