"""A lifecycle file run by the command line: three tiers of five measurements, changed, and run again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.task_api import TaskApi
from airflow_provider_influx_rollup.steps.tasks import NativeTask
from tests import oracle
from tests.scenes.lifecycle_scene import DAY, NAMES, PARTS, SPAN, Ask, Scene, needed, rolled

pytestmark = pytest.mark.live


def test_only_what_a_change_is_about_is_redone_and_the_plan_says_so_before(scene: Scene, ask: Ask) -> None:
    path = scene.declare()
    assert needed(ask("plan", "--lifecycle", path, *SPAN)[1]) == rolled(ask("run", path, *SPAN)[1])
    for bucket, every, names in (
        (scene.minutes, "30min", PARTS),
        (scene.hours, "1h", PARTS),
        (scene.days, "24h", ["count", "max"]),
    ):
        assert scene.differences(bucket, every, names, *NAMES) == []

    code, again = ask("run", path, *SPAN)
    assert (code, set(rolled(again).values())) == (0, {0})

    # a new aggregate of the days, a new tier between, and a measurement more
    tiers = scene.values()["tiers"]
    tiers[2]["aggregates"] = ["count", "max", "mean"]
    tiers.insert(2, {"bucket": scene.shifts, "every": "8h", "aggregates": PARTS})
    path = scene.declare(measurement=[*NAMES, "swap"], tiers=tiers)
    code, planned = ask("plan", "--lifecycle", path, *SPAN)
    assert code == 0
    code, told = ask("run", path, *SPAN)
    assert code == 0
    done = rolled(told)
    assert done == needed(planned)
    assert [count for name, count in done.items() if "swap" in name] == [48, 24, 3, 1]
    # 30 minutes and hours of the others stay; the shifts are new, the days have another source and another aggregate
    assert [count for name, count in done.items() if "cpu" in name] == [0, 0, 3, 1]
    for bucket, every, names in (
        (scene.minutes, "30min", PARTS),
        (scene.hours, "1h", PARTS),
        (scene.shifts, "8h", PARTS),
        (scene.days, "24h", ["count", "max", "mean"]),
    ):
        assert scene.differences(bucket, every, names, *NAMES, "swap") == []
    code, told = ask("coverage", *SPAN, "--ledger-bucket", scene.ledger)
    stale = [one["pipeline"] for one in told["pipelines"] if not one["is_complete"]]
    assert stale == []


def test_tasks_of_influxdb_compute_the_first_tier_when_it_is_native(
    scene: Scene, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = scene.values()["tiers"]
    tiers[0]["execution"] = "native"
    path = scene.declare(measurement=["cpu", "mem"], tiers=tiers)
    code, made = ask("token", "create", path)
    assert code == 0
    seen: list[str] = []
    create = TaskApi.create

    def watched(self: TaskApi, *given: Any) -> NativeTask:
        seen.append(str(given[0]))
        return create(self, *given)

    monkeypatch.setattr(TaskApi, "create", watched)
    monkeypatch.setenv("INFLUX_TOKEN", made["token"])
    code, told = ask("run", path, *SPAN)
    assert (code, list(rolled(told).values())) == (0, [48, 24, 1] * 2)
    assert len(seen) == 2
    assert all(f'from(bucket: "{scene.raw}")' in script for script in seen)
    for bucket, every, names in ((scene.minutes, "30min", PARTS), (scene.days, "24h", ["count", "max"])):
        assert scene.differences(bucket, every, names, "cpu", "mem") == []
    left = f"""from(bucket: "{scene.ledger}") |> range(start: 0) |> filter(fn: (r) => r._measurement =~ /^rollup_computed/)"""
    assert scene.client.query(left) == []
    assert [one for one in scene.client.tasks.find() if scene.ledger in one.description] == []


def test_one_stage_runs_when_its_command_is_called(scene: Scene, ask: Ask, tmp_path: Path) -> None:
    rules = [{"rule": "range", "field": "usage", "high": 90}]
    archive = {"path": str(tmp_path / "archive"), "every": "1d", "purge_after": "2d", "quiet_for": "0s"}
    path = scene.declare(
        measurement="cpu",
        validation={"rules": rules, "on_failure": "fail"},
        deadman={"expected_series": [{"host": "a"}, {"host": "b"}], "on_dead": "fail", "silence": "1h"},
        archive=archive,
    )
    code, told = ask("validate", path, *SPAN)
    result = told["measurements"][0]["stages"][0]["result"]
    above = int((scene.points["cpu"]["usage"] > 90).sum())
    assert (code, result["state"], result["rules"][0]["violations"]) == (1, "violated", above)

    # the rollup is not run over points that are wrong
    code, told = ask("run", path, *SPAN)
    assert (code, [one["stage"] for one in told["measurements"][0]["stages"]]) == (1, ["validate"])

    code, told = ask("rollup", path, *SPAN)
    assert (code, list(rolled(told).values())) == (0, [48, 24, 1])
    assert scene.differences(scene.days, "24h", ["count", "max"], "cpu") == []
    code, told = ask("rollup", path, "--again", *SPAN)
    assert (code, list(rolled(told).values())) == (0, [48, 24, 1])

    code, told = ask("purge", path, "--from", "2025-03-03", "--to", "2025-03-04")
    assert code == 1
    assert "archive" in json.dumps(told)


def test_purge_deletes_only_when_it_is_told_to(scene: Scene, ask: Ask, tmp_path: Path) -> None:
    archive = {"path": str(tmp_path / "archive"), "every": "1d", "purge_after": "2d", "quiet_for": "0s"}
    path = scene.declare(measurement="cpu", archive=archive)
    assert ask("run", path, *SPAN)[0] == 0
    later = ("--from", "2025-03-03", "--to", "2025-03-04")

    def left() -> int:
        address = (scene.server.url, scene.server.org, scene.server.token)
        flux = f"""from(bucket: "{scene.raw}") |> range(start: {DAY[0]}, stop: {DAY[1]})
            |> filter(fn: (r) => r._measurement == "cpu") |> count()"""
        return sum(row["_value"] for row in oracle.query(*address, flux))

    code, told = ask("purge", path, *later)
    stage = told["measurements"][0]["stages"][0]
    assert (code, stage["result"]["rows_in"], left()) == (0, 144, 144)
    assert ask("purge", path, *later, "--yes")[0] == 0
    assert left() == 0
    assert scene.differences(scene.hours, "1h", PARTS, "cpu") == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source_bucket": "no_such_bucket"}, "no_such_bucket.* does not exist"),
        ({"tiers": [{"bucket": "no_such_bucket", "every": "1h", "aggregates": ["count"]}]}, "no_such_bucket"),
        ({"retention": "10m"}, "keeps its rows for 10m"),
        ({"measurement": []}, "there is no measurement"),
    ],
)
def test_nothing_is_written_when_a_lifecycle_cannot_work(
    scene: Scene, ask: Ask, changes: dict[str, Any], told: str
) -> None:
    path = scene.declare(**({"measurement": "cpu"} | changes))
    code, answer = ask("run", path, *SPAN)
    assert (code, answer["is_right"]) == (2, False)
    assert told.split(".*")[0] in answer["error"]["message"]
    address = (scene.server.url, scene.server.org, scene.server.token)
    for bucket in (scene.minutes, scene.hours, scene.days, scene.ledger):
        assert oracle.count_points(*address, bucket, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z") == 0


def test_measurement_is_chosen_when_it_is_named(scene: Scene, ask: Ask) -> None:
    code, told = ask("rollup", scene.declare(), "--measurement", "mem", *SPAN)
    assert (code, [one["measurement"] for one in told["measurements"]]) == (0, ["mem"])
    code, told = ask("rollup", scene.declare(), "--measurement", "men", *SPAN)
    assert (code, "use one of cpu, mem" in told["error"]["message"]) == (2, True)


def test_frozen_windows_and_those_that_are_not_due_are_told_apart_from_what_is_done(
    scene: Scene, ask: Ask
) -> None:
    day = timedelta(days=1)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    short = f"{scene.raw}_short"
    scene.client.ensure_bucket(short, retention_seconds=3 * 86400)
    noon = int((midnight - day / 2).timestamp())
    scene.client.write_lines(short, [f"cpu,host=a usage=1 {noon}000000000"])
    tiers = [
        {"bucket": scene.hours, "every": "1h", "aggregates": ["count"]},
        {"bucket": scene.days, "every": "1d"},
    ]
    path = scene.declare(source_bucket=short, measurement="cpu", tiers=tiers)
    # a shard group is a day: retention takes whole ones
    span = ("--from", (midnight - 6 * day).isoformat(), "--to", midnight.isoformat())
    planned = ask("plan", "--lifecycle", path, *span)[1]["pipelines"]
    frozen = sum(one["windows"] for one in planned[0]["frozen"])
    whole = 6 - frozen // 24
    assert 0 < whole < 5
    for first in (True, False):
        code, told = ask("run", path, *span)
        hours, days = [stage["result"] for stage in told["measurements"][0]["stages"]]
        assert (code, told["is_right"]) == (1, False)
        for result, done, never in ((hours, 24 * whole, frozen), (days, whole, 6 - whole)):
            counts = [result[name] for name in ("windows", "left", "not_due", "frozen")]
            assert counts == ([done, 0, 0, never] if first else [0, done, 0, never])
    later = ("--from", (midnight + 2 * day).isoformat(), "--to", (midnight + 3 * day).isoformat())
    code, told = ask("rollup", path, *later)
    hours = told["measurements"][0]["stages"][0]["result"]
    assert [hours[name] for name in ("windows", "left", "not_due", "frozen")] == [0, 0, 24, 0]


def test_reconcile_of_a_run_tells_what_it_repaired_in_each_tier(
    scene: Scene, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    day = timedelta(days=1)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    noon = int((midnight - day / 2).timestamp())
    scene.client.write_lines(scene.raw, [f"cpu,host=a usage=1 {noon}000000000"])
    tiers = [
        {"bucket": scene.hours, "every": "1h", "aggregates": ["count"], "name": "hours"},
        {"bucket": scene.days, "every": "1d", "name": "days"},
    ]
    path = scene.declare(measurement="cpu", tiers=tiers, reconcile="3d")
    span = ("--from", (midnight - day).isoformat(), "--to", midnight.isoformat())
    assert ask("run", path, *span)[0] == 0
    yesterday = int((midnight - day).timestamp())
    scene.client.write_lines(scene.days, [f"cpu,host=a usage_count=7i {yesterday}000000000"])
    assert main(["run", path, *span]) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "reconcile:" in line]
    lowest, days = told.split("; ")
    assert lowest.startswith("  reconcile: hours: ")
    assert lowest.endswith(" windows compared, all right")
    assert days.startswith("days: ")
    assert days.endswith(" windows compared, 1 dirty, 1 repaired")
