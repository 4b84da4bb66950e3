"""The assets that explain prints are those that the tasks of the DAG have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, lifecycle_task_group

DECLARED: dict[str, Any] = {
    "source_bucket": "raw",
    "measurement": ["cpu", "a b/c"],
    "tiers": [
        {"bucket": "hours", "every": "1h", "aggregates": ["count", "max"]},
        {"bucket": "days", "every": "1d"},
    ],
    "assets": "windows",
}
ENDS = {
    "reconcile": "2d",
    "deadman": {"silence": "1h"},
    "validation": {"rules": [{"rule": "range", "field": "v", "high": 9}]},
    "archive": {"path": "s3://aws_default@lake/raw", "every": "1d", "purge_after": "9d"},
}


def explained(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert main(["explain", str(path), *more]) == 0
    return capsys.readouterr().out


def declare(path: Path, **values: Any) -> Path:
    path.write_text(json.dumps(DECLARED | values))
    return path


@pytest.mark.parametrize("conn_id", ["influx_rollup_default", "plant two"])
@pytest.mark.parametrize("ends", [{}, ENDS])
def test_assets_that_are_printed_are_the_outlets_of_the_tasks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], conn_id: str, ends: dict[str, Any]
) -> None:
    path = declare(tmp_path / "lifecycle.json", **ends)
    with DAG("any", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)) as dag:
        lifecycle_task_group(Lifecycle.from_yaml(path), influx_conn_id=conn_id)
    outlets = sorted(
        (task.task_id.rpartition(".")[2].partition("_")[0], outlet.uri)
        for task in dag.tasks
        for outlet in task.outlets
    )
    conn = [] if conn_id == "influx_rollup_default" else ["--conn-id", conn_id]
    told = json.loads(explained(path, capsys, "--json", *conn))
    found = [(asset["stage"], asset["uri"]) for one in told["measurements"] for asset in one["assets"]]
    assert sorted(found) == outlets
    assert len(found) == 2 * (5 if ends else 2)
    text = explained(path, capsys, *conn)
    assert all(uri in text for _, uri in found)
    assert "an event for the windows that a run changes" in text


def test_no_assets_are_printed_when_the_file_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = declare(tmp_path / "lifecycle.json", assets=None)
    assert [one["assets"] for one in json.loads(explained(path, capsys, "--json"))["measurements"]] == [
        [],
        [],
    ]
    assert "asset" not in explained(path, capsys)


def test_events_are_told_of_partitions_and_of_patterns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = explained(declare(tmp_path / "one.json", assets="partitions"), capsys)
    assert "an event for each window that a run changes, with its start as the partition" in told
    told = explained(declare(tmp_path / "two.json", measurement="cpu*"), capsys)
    assert "for each measurement that cpu* stands for" in told
