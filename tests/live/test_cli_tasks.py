"""``influx-rollup tasks`` on a real InfluxDB: what is printed, and the exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.steps.tasks import UpdateTask
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.native_scene import HOUR, START, named_task, run_to_its_end, script

pytestmark = pytest.mark.live


@pytest.fixture
def name(client: InfluxClient) -> Iterator[str]:
    with named_task(client) as found:
        yield found


@pytest.fixture
def file(name: str, tmp_path: Path, bucket_factory: Callable[[], str]) -> Path:
    path = tmp_path / "hourly.flux"
    path.write_text(script(name, bucket_factory(), bucket_factory()))
    return path


@pytest.fixture
def ask(
    influx: InfluxServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    for variable, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{variable}", value)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        code = main(["tasks", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_task_is_compared_deployed_and_listed(
    client: InfluxClient, name: str, file: Path, ask: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    code, told = ask("diff", str(file))
    assert (code, told["tasks"][0]["action"]) == (1, "created")
    assert "+option task" in told["tasks"][0]["diff"]
    assert client.tasks.find(name) == []
    assert ask("deploy", str(file), "--task-pipeline", "p")[0] == 0
    assert ask("diff", str(file), "--task-pipeline", "p")[0] == 0
    code, told = ask("list", name)
    assert code == 0
    (one,) = told["tasks"]
    assert {key: one[key] for key in ("task", "status", "every", "pipeline", "is_drifted")} == {
        "task": name, "status": "active", "every": "1h", "pipeline": "p", "is_drifted": False,
    }  # fmt: skip
    (task,) = client.tasks.find(name)
    client.tasks.update(UpdateTask(task.id, task.flux.replace("mean", "max"), "active", task.description))
    assert ask("list", name)[1]["tasks"][0]["is_drifted"]
    code, told = ask("deploy", str(file))
    assert (code, told["error"]["name"]) == (1, "TaskDrifted")
    assert "--overwrite" in told["error"]["message"]
    assert ask("deploy", str(file), "--overwrite")[0] == 0
    assert client.tasks.find(name)[0].flux == task.flux


def test_history_tells_runs_reasons_and_missed_windows(
    client: InfluxClient, name: str, file: Path, ask: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    ask("deploy", str(file))
    (task,) = client.tasks.find(name)
    span = ("--from", START.isoformat(), "--to", (START + 3 * HOUR).isoformat())
    code, told = ask("history", name, *span)
    # the task was made long after these windows
    assert (code, told["tasks"][0]["runs"], told["tasks"][0]["missed"]) == (0, [], [])
    run = run_to_its_end(client, task.id, START + 2 * HOUR)
    # a run that has just ended goes from the list of those under way to the bucket _tasks
    deadline = time.monotonic() + 20
    while True:
        code, told = ask("history", name, *span)
        (history,) = told["tasks"]
        if history["runs"]:
            break
        assert time.monotonic() < deadline, told
    assert (code, history["missed"]) == (0, [])
    assert [(one["run_id"], one["status"]) for one in history["runs"]] == [(run.id, "success")]
    assert history["runs"][0]["seconds"] >= 0


def test_windows_since_the_task_was_made_are_missed(
    client: InfluxClient,
    name: str,
    ask: Callable[..., tuple[int, dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = client.tasks.create(f'option task = {{name: "{name}", every: 1s}}\n\nbuckets()\n', "inactive", "")
    assert task.created_at is not None
    deadline = time.monotonic() + 20
    while True:
        code, told = ask("history", name, "--last", "1m")
        missed = [window["stop"] for window in told["tasks"][0]["missed"]]
        if len(missed) > 1:
            break
        assert time.monotonic() < deadline, told
    assert code == 1
    assert min(missed) >= task.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert main(["tasks", "history", name, "--last", "1m"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "window without a success" in said
    assert "when the task was made, are not counted" in said


def test_a_token_without_rights_for_tasks_is_told(
    influx: InfluxServer,
    client: InfluxClient,
    name: str,
    file: Path,
    ask: Callable[..., tuple[int, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = InfluxAddress(influx.url, influx.org, influx.token)
    monkeypatch.setenv(
        "INFLUX_TOKEN", address.new_token([("read", "buckets"), ("write", "buckets"), ("read", "tasks")])
    )
    code, told = ask("deploy", str(file))
    assert (code, told["error"]["name"]) == (2, "InfluxForbidden")
    assert "give the token the missing permission" in told["error"]["message"]
    assert client.tasks.find(name) == []
    monkeypatch.setenv("INFLUX_TOKEN", address.new_token([("read", "buckets")]))
    assert main(["tasks", "list"]) == 0
    assert "no tasks that the token may read" in capsys.readouterr().out
    monkeypatch.setenv("INFLUX_TOKEN", "wrong")
    code, told = ask("list")
    assert (code, told["error"]["name"]) == (2, "InfluxUnauthorized")
    assert "INFLUX_TOKEN" in told["error"]["message"]


def test_a_name_is_enough_to_delete_a_task(
    client: InfluxClient, name: str, file: Path, ask: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    ask("deploy", "--task-pipeline", "p", str(file))
    code, told = ask("diff", name, "--state", "absent")
    assert (code, told["tasks"][0]["action"]) == (1, "deleted")
    assert len(client.tasks.find(name)) == 1
    assert ask("deploy", "--state", "absent", name)[0] == 0
    assert client.tasks.find(name) == []
    code, told = ask("deploy", "--state", "absent", name)
    assert (code, told["tasks"][0]["action"]) == (0, "unchanged")


def test_tables_are_printed_for_people(
    name: str, file: Path, ask: Callable[..., tuple[int, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    ask("deploy", str(file))
    assert main(["tasks", "list", name]) == 0
    assert name in capsys.readouterr().out
    assert main(["tasks", "history", name, "--from", "2025-03-29", "--to", "2025-03-30"]) == 0
    assert "no runs" in capsys.readouterr().out
    assert main(["tasks", "diff", str(file).replace("hourly", "missing")]) == 2
    assert main(["tasks", "diff"]) == 2


def test_no_script_is_deployed_when_one_of_several_is_wrong(
    client: InfluxClient, name: str, file: Path, ask: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    wrong = file.with_name("wrong.flux")
    wrong.write_text('option task = {name: "wrong", every: 1h}\nfrom(bucket: "x"')
    code, told = ask("deploy", str(file), str(wrong))
    assert (code, told["error"]["name"]) == (1, "ScriptInvalid")
    assert told["error"]["message"].startswith(f"{wrong}: ")
    assert client.tasks.find(name) == []


def test_values_are_given_on_the_command_line(
    client: InfluxClient, name: str, file: Path, ask: Callable[..., tuple[int, dict[str, Any]]]
) -> None:
    file.write_text(file.read_text().replace('== "m"', "== params.m"))
    assert ask("deploy", "--param", "m=x y", str(file))[0] == 0
    assert 'option params = {"m": "x y"}' in client.tasks.find(name)[0].flux
    assert ask("diff", str(file), "--param", "m=x y")[0] == 0
    assert ask("diff", str(file), "--param", "m=z")[0] == 1
    assert ask("diff", str(file), "--param", "m")[0] == 2
