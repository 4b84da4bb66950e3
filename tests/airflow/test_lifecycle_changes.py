"""A lifecycle file in a DAG: backfilled, changed, and backfilled on. Only what the change is about is redone, as the plan says before."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.task_groups.lifecycle import (
    Archive,
    Bucket,
    Deadman,
    Lifecycle,
    Tier,
    Validation,
    lifecycle_task_group,
)
from dev.airflow_backfill import Backfill, make_ready, run_backfill
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import wait_until
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(600)]

NAMES = ["cpu", "disk", "mem", "net", "system"]
PARTS = ["count", "sum", "min", "max"]
FIRST, LAST = "2025-03-01", "2025-03-04"
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
GROUP = "hosts"


class Scene:
    """Three days of six measurements, and a DAG of a file, which both have the DAG's name."""

    def __init__(self, airflow: AirflowProcess, place: InfluxAddress, dag_id: str) -> None:
        self.airflow, self.place, self.dag_id = airflow, place, dag_id
        self.program = airflow.dags / "tests" / "changed_lifecycle.py"
        self.path = self.program.with_name(f"{dag_id}.json")
        self.address = (place.url, place.org, place.token)
        airflow.cli("connections", "add", dag_id, "--conn-json", place.connection())
        place.fresh_buckets("raw")
        times = pd.date_range(FIRST, LAST, freq="10min", inclusive="left", tz="UTC")
        self.points = {
            name: pd.DataFrame(
                {"_time": times, "host": "a", "usage": [float(at * k % 97) for at in range(len(times))]}
            )
            for k, name in enumerate([*NAMES, "swap"], start=5)
        }
        for name, table in self.points.items():
            rows = zip(table["_time"], table["usage"], strict=True)
            for _ in place.write("raw", (f"{name},host=a usage={usage} {at.value}" for at, usage in rows)):
                pass

    def declare(self, **values: Any) -> None:
        """Write the file."""
        tiers = values["tiers"]
        buckets = [{"name": name} for name in (*(tier["bucket"] for tier in tiers), "rollup_ledger")]
        self.path.write_text(json.dumps({"source_bucket": "raw", "buckets": buckets} | values))

    def run(self, day: str) -> dict[str, str]:
        """Run all tasks for a day; the state of each task instance of all runs, by task."""
        stop = pd.Timestamp(day, tz="UTC") + pd.Timedelta("1D")
        run_dag(self.airflow, self.dag_id, stop.isoformat(), program=self.program.stem)
        query = "select task_id, map_index, state from task_instance where dag_id = ?"
        rows = self.airflow.rows(query, (self.dag_id,))
        return {f"{task}{'' if at < 0 else f'[{at}]'}": state for task, at, state in rows}

    def backfill(self, first: str, last: str) -> dict[str, int]:
        """Run the days by Airflow's own command; how many runs ended in which state."""
        if self.airflow.is_three:
            # Airflow looks at a program that is new before its usual time
            os.utime(self.program)
            make_ready(self.airflow, self.dag_id)
            wait_until(self._is_known, seconds=120, what="Airflow has the tasks of the file")
        days = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last)]
        return run_backfill(self.airflow, Backfill(self.dag_id, *days), timeout=500).runs

    def _is_known(self) -> bool:
        """Whether the tasks that Airflow knows are those of the file."""
        declared = json.loads(self.path.read_text())
        wanted = {
            f"{GROUP}.{name}.rollup_{tier['every']}"
            for name in declared["measurement"]
            for tier in declared["tiers"]
        }
        query = "select data from serialized_dag where dag_id = ? order by last_updated desc"
        newest = self.airflow.rows(query, (self.dag_id,))[0][0]
        return all(f'"{task}"' in newest for task in wanted)

    def receipts(self) -> dict[str, dict[str, int]]:
        """Generation of each committed window, by pipeline and start."""
        flux = f"""from(bucket: "rollup_ledger") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
            |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "rollup")
            |> filter(fn: (r) => r._field == "state" or r._field == "generation")
            |> toString() |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")"""
        found: dict[str, dict[str, int]] = {}
        for row in oracle.query(*self.address, flux):
            assert row["state"] == "COMMITTED"
            start = pd.Timestamp(row["_time"], tz="UTC").isoformat()
            found.setdefault(row["pipeline"], {})[start] = int(row["generation"])
        return found

    def differences(
        self, bucket: str, every: str, aggregates: list[str], last: str, *names: str
    ) -> list[str]:
        """What pandas makes of the points, compared with a tier."""
        found = []
        for name in names:
            target = oracle.read_target(*self.address, bucket, name, *ALWAYS)
            spans = oracle.windows(FIRST, last, every)
            expected = oracle.rollup(self.points[name], ["host"], spans, {"usage": aggregates})
            found += oracle.compare(target, expected)
        return found


@pytest.fixture
def scene(
    real_airflow: AirflowProcess,
    new_organisation: Callable[[], InfluxAddress],
    request: pytest.FixtureRequest,
) -> Iterator[Scene]:
    place = new_organisation()
    with place.buckets_made_meanwhile_deleted():
        made = Scene(real_airflow, place, f"lifecycle_{len(request.node.name)}")
        yield made
        made.path.unlink(missing_ok=True)


def test_each_measurement_that_a_pattern_finds_has_tasks_and_receipts_of_its_own(
    scene: Scene, tmp_path: Path
) -> None:
    tiers = [
        {"bucket": "halves", "every": "30m", "aggregates": PARTS, "name": "halves"},
        {"bucket": "hours", "every": "1h"},
    ]
    scene.declare(
        measurement=["*", "!s*", "!disk", "!net"],
        tiers=tiers,
        validation={"rules": [{"rule": "range", "field": "usage", "high": 96}]},
        deadman={"silence": "1h"},
        reconcile="3h",
        archive={"path": str(tmp_path), "every": "1d"},
    )
    states = scene.run(FIRST)
    found = ["cpu", "mem"]
    assert set(states.values()) == {"success"}
    tasks = ("validate", "rollup_30m", "rollup_1h", "deadman", "reconcile", "archive")
    assert sorted(states) == sorted(
        [f"{GROUP}.buckets", f"{GROUP}.discover"]
        + [f"{GROUP}.measurement.{task}[{at}]" for task in tasks for at in range(len(found))]
    )
    of_day = {
        name: len([start for start in windows if start.startswith(FIRST)])
        for name, windows in scene.receipts().items()
    }
    assert of_day == {
        **{f"halves:{name}": 48 for name in found},
        **{f"halves/{name}->hours@1h": 24 for name in found},
    }
    assert scene.differences("hours", "1h", PARTS, "2025-03-02", *found) == []
    labels = scene.airflow.rows(
        "select distinct rendered_map_index from task_instance where dag_id = ? and map_index >= 0",
        (scene.dag_id,),
    )
    assert {label for (label,) in labels} >= set(found)
    archived = [path.parts for path in tmp_path.rglob("*.json")]
    assert {name for name in found if any(name in parts for parts in archived)} == set(found)


def test_every_stage_is_mapped_when_a_lifecycle_has_patterns() -> None:
    from airflow.providers.common.compat.sdk import DAG

    lifecycle = Lifecycle(
        "raw",
        "*",
        [Tier("hours", "1h", ["count"]), Tier("days", "1d", name="days")],
        validation=Validation([{"rule": "range", "field": "usage", "high": 96}]),
        deadman=Deadman("1h"),
        reconcile="3h",
        archive=Archive("/lake", every="1d", purge_after="9d"),
        buckets=[Bucket("hours")],
    )
    with DAG("mapped", schedule=None, start_date=datetime(2025, 3, 8, tzinfo=UTC)) as dag:
        lifecycle_task_group(lifecycle, deferrable=True, retries=4)
    inside = {task.task_id.rpartition(".")[2]: task for task in dag.tasks if ".measurement." in task.task_id}
    assert set(inside) == {"validate", "rollup_1h", "rollup_1d", "deadman", "reconcile", "archive", "purge"}
    assert [task.task_id for task in dag.roots] == ["lifecycle.buckets"]
    assert dag.get_task("lifecycle.discover").upstream_task_ids == {"lifecycle.buckets"}
    # every task of the group waits for what it is mapped over
    assert all("lifecycle.discover" in task.upstream_task_ids for task in inside.values())
    assert {task.retries for task in dag.tasks} == {4}


def planned(
    scene: Scene, stop: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[str, dict[str, int]]:
    """What the plan prints, and how many windows it says are needed, by pipeline."""
    for variable, value in zip(("URL", "ORG", "TOKEN"), scene.address, strict=True):
        monkeypatch.setenv(f"INFLUX_{variable}", value)
    capsys.readouterr()
    assert main(["plan", "--lifecycle", str(scene.path), "--from", FIRST, "--to", stop]) == 0
    told = capsys.readouterr().out
    found = re.findall(r"^(\S+)  .*\nwindows: .*\n(?:.*\n)*?what is needed +(\d+)", told, re.MULTILINE)
    return told, {name: int(count) for name, count in found}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_only_what_a_change_is_about_is_redone_and_the_plan_says_so_before(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiers: list[dict[str, Any]] = [
        {"bucket": "halves", "every": "30m", "aggregates": PARTS, "name": "halves"},
        {"bucket": "hours", "every": "1h", "name": "hours"},
        {"bucket": "days", "every": "1d", "aggregates": ["count", "max"], "name": "days"},
    ]
    scene.declare(measurement=NAMES, tiers=tiers)
    assert scene.backfill(FIRST, "2025-03-02") == {"success": 2}
    before = scene.receipts()
    assert {name: len(windows) for name, windows in before.items()} == {
        f"{tier}:{name}": count
        for tier, count in (("halves", 96), ("hours", 48), ("days", 2))
        for name in NAMES
    }
    for bucket, every, names in (
        ("halves", "30min", PARTS),
        ("hours", "1h", PARTS),
        ("days", "24h", ["count", "max"]),
    ):
        assert scene.differences(bucket, every, names, "2025-03-03", *NAMES) == []

    # another aggregate, a tier between, and a measurement more
    tiers[2]["aggregates"] = ["count", "max", "mean"]
    tiers.insert(2, {"bucket": "shifts", "every": "8h", "aggregates": PARTS, "name": "shifts"})
    scene.declare(measurement=[*NAMES, "swap"], tiers=tiers, heal="2d")
    text, needed = planned(scene, "2025-03-03", monkeypatch, capsys)
    assert "buckets that do not exist yet, and that a run makes: shifts" in text
    assert needed == {
        **{f"{tier}:{name}": 0 for tier in ("halves", "hours") for name in NAMES},
        **{f"{tier}:{name}": count for tier, count in (("shifts", 6), ("days", 2)) for name in NAMES},
        "halves:swap": 96,
        "hours:swap": 48,
        "shifts:swap": 6,
        "days:swap": 2,
    }

    # the next day's run heals the days before it
    assert scene.backfill("2025-03-03", "2025-03-03") == {"success": 1}
    after = scene.receipts()
    redone = {
        name: sum(
            before.get(name, {}).get(start) != generation
            for start, generation in windows.items()
            if start < "2025-03-03"
        )
        for name, windows in after.items()
    }
    assert redone == needed
    for bucket, every, names in (
        ("halves", "30min", PARTS),
        ("hours", "1h", PARTS),
        ("shifts", "8h", PARTS),
        ("days", "24h", ["count", "max", "mean"]),
    ):
        assert scene.differences(bucket, every, names, LAST, *NAMES, "swap") == []
    assert planned(scene, LAST, monkeypatch, capsys)[1] == dict.fromkeys(after, 0)
