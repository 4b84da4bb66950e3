"""Backfills by Airflow's own commands while task processes, triggerer, scheduler and InfluxDB are killed with SIGKILL."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.cli.main import main
from dev.airflow_backfill import Backfill, make_ready, run_backfill
from dev.airflow_process import AirflowProcess
from dev.fleet import FIELDS, MEASUREMENT, TAGS, Fleet, make_fleet, small_plan
from dev.influx_http import InfluxAddress
from dev.processes import POLL_SECONDS
from tests import oracle
from tests.faults.killings import KINDS, Killings, Moments
from tests.faults.request_proxy import RequestProxy, running_request_proxy
from tests.faults.stormy_rules import DEFERRED, HIGH, LOWER, UPPER
from tests.scenes.archive_scene import read_facts
from tests.servers.own_server import own_server

pytestmark = [
    pytest.mark.live,
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]

DAG_ID = "stormy_backfill"
FIRST, LAST = datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 8, 10, tzinfo=UTC)
ENDS = ("2025-03-08T00:00:00Z", "2025-03-08T12:00:00Z")
# of a backfill that asks InfluxDB for nothing meanwhile
STALLED_SECONDS = 30
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
KILLS = int(os.environ.get("BACKFILL_KILLS", "10"))
# a seed that failed: BACKFILL_SEEDS=<seed>
SEEDS = [int(text) for text in os.environ.get("BACKFILL_SEEDS", "1").split(",")]
BOTH = dict.fromkeys(("temperature", "humidity"))
TIERS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "telemetry_30m": ("30min", dict.fromkeys(BOTH, LOWER)),
    "telemetry_2h": ("2h", dict.fromkeys(BOTH, UPPER)),
    "telemetry_1h": ("1h", DEFERRED),
}
ERRORS = "airflow_provider_influx_rollup.exceptions."
CHAINED = ("The above exception was", "During handling of")
#: one that was killed is taken for dead after some seconds
SOON = {
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}


@dataclass
class Scene:
    """An Airflow whose tasks reach an InfluxDB of their own through a proxy, and half a day of points.

    :param folder: data of InfluxDB
    :param torn: what was wrong in a COMMITTED window at a moment when something was killed
    :param seen: how many windows were COMMITTED at the last of them
    """

    airflow: AirflowProcess
    place: InfluxAddress
    proxy: RequestProxy
    fleet: Fleet
    folder: Path
    archive: Path
    torn: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, str, str]:
        """Of the server itself."""
        return self.place.url, self.place.org, self.place.token

    def clean(self) -> pd.DataFrame:
        """The points that break no rule."""
        points = self.fleet.points.copy()
        assert (points["temperature"] > HIGH).any()
        return points.assign(temperature=points["temperature"].where(points["temperature"] <= HIGH))

    def broken(self) -> Counter[Any]:
        """Times and values of the points that break the rule."""
        points = self.fleet.points[self.fleet.points["temperature"] > HIGH]
        times = points["_time"].astype("datetime64[ns, UTC]").astype("int64")
        return Counter(zip(times.tolist(), points["temperature"].tolist(), strict=True))

    def quarantined(self) -> Counter[Any]:
        """The same of the quarantine."""
        flux = f"""from(bucket: "telemetry_quarantine") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
            |> filter(fn: (r) => r._field == "temperature")"""
        rows = oracle.query(*self.address, flux)
        return Counter((pd.Timestamp(row["_time"]).value, row["_value"]) for row in rows)

    def tables(self, bucket: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """What a tier holds, and what pandas makes of the points."""
        every, rules = TIERS[bucket]
        points = self.fleet.points if bucket == "telemetry_1h" else self.clean()
        spans = oracle.windows("2025-03-08 00:00", "2025-03-08 12:00", every)
        expected = oracle.rollup(points, TAGS, spans, rules)
        assert len(expected) > len(spans)
        return oracle.read_target(*self.address, bucket, MEASUREMENT, *ALWAYS), expected

    def differences(self) -> list[str]:
        """Of every tier."""
        found = []
        for bucket in TIERS:
            stored, expected = self.tables(bucket)
            found += [f"{bucket}: {one}" for one in oracle.compare(stored, expected)]
            if (count := oracle.count_points(*self.address, bucket, *ALWAYS)) != len(expected):
                found.append(f"{bucket}: {count} points, not {len(expected)}")
        return found

    def look(self) -> None:
        """Every window that is COMMITTED now has all its rows: the points have been there before."""
        flux = f"""from(bucket: "rollup_ledger") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
            |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "rollup")
            |> filter(fn: (r) => r._field == "state" or r._field == "claimed_by" or r._field == "committed_by")
            |> pivot(rowKey: ["_time", "pipeline"], columnKey: ["_field"], valueColumn: "_value")"""
        done = defaultdict(set)
        if "rollup_ledger" in self.place.buckets():
            for row in oracle.query(*self.address, flux):
                if (row["state"], row.get("claimed_by")) == ("COMMITTED", row.get("committed_by")):
                    name = row["pipeline"]
                    (bucket,) = [one for one in TIERS if f"->{one}@" in name] or ["telemetry_1h"]
                    done[bucket].add(pd.Timestamp(row["_time"]).value)
        for bucket, starts in done.items():
            self.seen[bucket] = len(starts)
            stored, expected = (table[table["_time"].isin(starts)] for table in self.tables(bucket))
            self.torn += oracle.compare(stored, expected)

    def receipts(self) -> Counter[tuple[str, str]]:
        """How many windows each stage has in each state; one that was claimed since its commit is WRITING."""
        flux = f"""from(bucket: "rollup_ledger") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
            |> filter(fn: (r) => r._measurement == "window_receipt")
            |> filter(fn: (r) => r._field == "state" or r._field == "claimed_by" or r._field == "committed_by")
            |> pivot(rowKey: ["_time", "pipeline", "stage"], columnKey: ["_field"], valueColumn: "_value")"""
        rows = oracle.query(*self.address, flux)
        return Counter(
            (row["stage"], row["state"] if row.get("claimed_by") == row.get("committed_by") else "WRITING")
            for row in rows
        )

    def archived(self) -> Counter[Any]:
        """All points of the newest generations, by pyarrow alone."""
        newest: dict[Path, Path] = {}
        for path in self.archive.glob("**/window=*/gen=*/manifest.json"):
            number = int(path.parent.name.removeprefix("gen="))
            held = newest.get(path.parent.parent)
            if held is None or number > int(held.parent.name.removeprefix("gen=")):
                newest[path.parent.parent] = path
        assert len(newest) == 12
        return Counter(
            facts
            for path in newest.values()
            for part in json.loads(path.read_bytes())["parts"]
            for facts in read_facts(path.parent / part["name"])
        )


def facts_of(points: pd.DataFrame) -> Counter[Any]:
    """The points as the archive's files have them."""
    kinds = {float: "float", int: "integer", bool: "boolean", str: "string"}
    found: Counter[Any] = Counter()
    times = points["_time"].astype("datetime64[ns, UTC]").astype("int64").tolist()
    for name in FIELDS:
        for at, *tags, value in zip(
            times, *(points[tag] for tag in sorted(TAGS)), points[name].tolist(), strict=True
        ):
            if value == value:
                kind = kinds[type(value)]
                kept = struct.pack("<d", value) if kind == "float" else value
                found[(at, tuple(zip(sorted(TAGS), tags, strict=True)), name, kind, kept)] += 1
    return found


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    dags = tmp_path / "dags"
    dags.mkdir()
    source = Path(__file__).parent / "dags" / "stormy_backfill.py"
    (dags / source.name).write_text(source.read_text())
    base = tmp_path / "influx"
    base.mkdir()
    with own_server(base, memory="2G") as server, running_request_proxy(server.url) as proxy:
        place = InfluxAddress(server.url, server.org, server.token)
        fleet = make_fleet(small_plan(FIRST))
        place.fresh_buckets("raw_telemetry", "telemetry_clean", "telemetry_quarantine", *TIERS)
        for wave in fleet.waves():
            for _ in place.write("raw_telemetry", wave):
                pass
        archive = tmp_path / "archive"
        # a task fails where InfluxDB is away for longer
        extra = {"org": place.org, "deadline_seconds": 0.5}
        conn = {"conn_type": "influx_rollup", "host": proxy.url, "password": place.token, "extra": extra}
        more = {"STORMY_ARCHIVE": str(archive), "AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": json.dumps(conn)}
        with AirflowProcess(tmp_path / "home", dags, environment=SOON | more) as airflow:
            yield Scene(airflow, place, proxy, fleet, base / "data", archive)


def killings(scene: Scene, seed: int) -> Killings:
    """On 2.11 the backfill itself is the scheduler, which the test starts again."""
    airflow = scene.airflow
    services = ("scheduler", "triggerer") if airflow.is_three else ("triggerer",)
    commands = {name: airflow.command(name) for name in services}
    moments = Moments(seed, KILLS)
    return Killings(airflow, scene.proxy, moments, commands, scene.folder, scene.look)


def backfill_on_three(scene: Scene, storm: Killings) -> int:
    scene.airflow.start()
    make_ready(scene.airflow, DAG_ID)
    # one that may be killed begins when the backfill is there, as both write to SQLite
    scene.airflow.processes.stop(["scheduler"])
    scene.proxy.plan(storm.moments.decide)
    backfill = Backfill(DAG_ID, FIRST, LAST)
    assert run_backfill(scene.airflow, backfill, progress=storm.step, timeout=1200).runs == {"success": 6}
    return 1


def backfill_on_two(scene: Scene, storm: Killings) -> int:
    """Give the command again until it ends well, as its user does; how often it was given.

    A backfill of 2.11 whose task process was killed may wait for that task forever.
    """
    airflow = scene.airflow
    airflow.migrate()
    make_ready(airflow, DAG_ID)
    scene.proxy.plan(storm.moments.decide)
    arguments = ["dags", "backfill", "-l", "-y", "-s", FIRST.isoformat(), "-e", LAST.isoformat()]
    command = airflow.command(*arguments, "--rerun-failed-tasks", DAG_ID)
    deadline, given = time.monotonic() + 1200, 0
    while set(airflow.rows("select state from dag_run")) != {("success",)}:
        assert time.monotonic() < deadline, airflow.task_log(DAG_ID)
        fail_what_nobody_runs(airflow)
        storm.services.start(storm.scheduler, command, airflow.environment, airflow.home)
        given += 1
        asked, moved = -1, time.monotonic()
        while storm.services.running(storm.scheduler) and time.monotonic() < moved + STALLED_SECONDS:
            storm.step()
            if asked != scene.proxy.request_count:
                asked, moved = scene.proxy.request_count, time.monotonic()
            time.sleep(POLL_SECONDS)
        storm.services.stop([storm.scheduler])
    return given


def fail_what_nobody_runs(airflow: AirflowProcess) -> None:
    """As people do in the UI of 2.11 before they repeat a backfill that was killed: it never looks at these itself."""
    with closing(sqlite3.connect(airflow.database, timeout=60)) as database, database:
        database.execute("update task_instance set state = 'failed' where state = 'running'")


def told(scene: Scene) -> list[str]:
    """Messages of this package's errors that tasks have failed with."""
    logs = (scene.airflow.home / "logs" / f"dag_id={DAG_ID}").rglob("*.log")
    lines = [line for path in logs for line in path.read_text(errors="replace").splitlines()]
    if not scene.airflow.is_three:
        plain = [line for line in lines if line]
        # the last of a chain of causes
        return [
            line.removeprefix(ERRORS)
            for line, after in pairwise([*plain, ""])
            if line.startswith(ERRORS) and not after.startswith(CHAINED)
        ]
    logged = [json.loads(line).get("error_detail") or [] for line in lines if line.startswith("{")]
    return [
        f"{one['exc_type']}: {one['exc_value']}"
        for details in logged
        for one in details[:1]
        if "To do: " in one["exc_value"]
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_backfill_is_right_after_every_process_was_killed(
    scene: Scene, seed: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    storm = killings(scene, seed)
    began = time.monotonic()
    try:
        given = (backfill_on_three if scene.airflow.is_three else backfill_on_two)(scene, storm)
        seconds = round(time.monotonic() - began)
    finally:
        storm.stop()
    # a quick backfill may end before the last ones
    assert len(storm.killed) > KILLS // 2, storm.killed
    assert scene.seen
    assert scene.torn == [], storm.killed
    assert storm.counts().keys() == set(KINDS)
    assert scene.differences() == [], storm.killed
    assert scene.archived() == facts_of(scene.fleet.points), storm.killed
    assert scene.quarantined() == scene.broken()
    assert scene.receipts() == {("rollup", "COMMITTED"): 24 + 6 + 12, ("archive", "COMMITTED"): 12}
    for name, value in (("URL", scene.place.url), ("ORG", scene.place.org), ("TOKEN", scene.place.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)
    assert main(["coverage", "--from", ENDS[0], "--to", ENDS[1], "--json"]) == 0
    pipelines = json.loads(capsys.readouterr().out)["pipelines"]
    assert sorted(one["states"]["committed"] for one in pipelines) == [6, 12, 24]
    errors = told(scene)
    assert [one for one in errors if "Written: " not in one or "To do: " not in one] == []
    logs = (scene.airflow.home / "logs").rglob("*.log")
    assert not any(scene.place.token in path.read_text(errors="replace") for path in logs)
    tries = scene.airflow.rows("select task_id, max(try_number) from task_instance group by task_id")
    report = {
        "seed": seed,
        "killed": storm.killed,
        "seconds until a task succeeded": storm.recoveries,
        "seconds": seconds,
        "backfill commands": given,
        "most tries": dict(tries),
        "requests": scene.proxy.request_count,
        "errors": errors,
    }
    sys.stdout.write(json.dumps(report, indent=1))
