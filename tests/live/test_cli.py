"""The command line on a real server: one day with every state, looked at by every command."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.cli import connection
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.ledger.codec import encode_receipts, encode_spec
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant, to_ns
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.doc_blocks import blocks
from tests.scenes.rollup_runs import FIELDS, Place, interval, make_place, make_points, roll

pytestmark = pytest.mark.live

DAY = ("2025-03-01", "2025-03-02")
SPAN = ("--from", DAY[0], "--to", DAY[1])
#: of the scene, hour by hour
BAR = "|######___##~!___________|"

Answer = tuple[int, dict[str, Any]]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return make_points(*DAY, 120)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient, points: pd.DataFrame) -> Place:
    """Hours that are committed in two blocks, one of an earlier spec, one WRITING, and gaps."""
    place = make_place(influx, client)
    place.write(points)
    span = interval("2025-03-01T11:00", "2025-03-01T12:00")
    roll(client, spec_of(place, "count"), span)
    for hours in (("00:00", "06:00"), ("09:00", "11:00")):
        roll(client, spec_of(place), interval(*(f"{DAY[0]}T{hour}" for hour in hours)))
    window = interval("2025-03-01T12:00", "2025-03-01T13:00")
    name = spec_of(place).pipeline_name
    client.write_lines(
        place.ledger,
        encode_receipts(
            [
                Receipt(
                    pipeline=name,
                    stage="rollup",
                    window=window,
                    state=State.WRITING,
                    written_at=datetime.now(UTC),
                )
            ]
        ),
    )
    return place


def spec_of(place: Place, *aggregates: str) -> RollupSpec:
    return place.spec("1h", aggregates or ("count", "last"), pipeline="hours of [bold]cli")


def documented() -> dict[str, Any]:
    """The answer of each command in the reference."""
    shown = [json.loads(block.text) for block in blocks("json") if block.page.name == "cli.md"]
    return {answer["command"]: answer for answer in shown if "error" not in answer}


def shape(value: Any, like: Any) -> Any:
    """Names of all fields, as deep as both have some."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: shape(inner, like.get(name)) for name, inner in value.items()}
    if isinstance(value, list) and isinstance(like, list):
        return [shape(value[0], like[0])] if value and like else []
    return None


@pytest.fixture
def ask(place: Place, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*argv: str) -> Answer:
        code = main([*argv, "--ledger-bucket", place.ledger, "--json"])
        printed = capsys.readouterr()
        assert place.server.token not in printed.out + printed.err
        told = json.loads(printed.out)
        example = documented().get(argv[0])
        if example is not None and "error" not in told:
            assert shape(told, example) == shape(example, told)
        return code, told

    return run


def hours_of(points: pd.DataFrame, *hours: range) -> int:
    """Field values of some hours, counted by pandas."""
    wanted = {hour for some in hours for hour in some}
    return int(points.loc[points["_time"].dt.hour.isin(wanted), list(FIELDS)].notna().sum().sum())


def test_coverage_shows_each_state_when_windows_are_in_all(
    place: Place, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = ask("coverage", *SPAN)
    assert (code, told["is_right"]) == (1, False)
    (found,) = told["pipelines"]
    counts = {state: count for state, count in found["states"].items() if count}
    assert counts == {"committed": 8, "stale_spec": 1, "writing": 1, "missing": 14}
    assert [(gap["start"][11:13], gap["state"], gap["windows"]) for gap in found["gaps"]] == [
        ("06", "missing", 3),
        ("11", "stale_spec", 1),
        ("12", "writing", 1),
        ("13", "missing", 11),
    ]
    assert main(["coverage", *SPAN, "--ledger-bucket", place.ledger]) == 1
    shown = capsys.readouterr().out
    assert BAR in shown
    assert "hours of [bold]cli" in shown
    assert ask("coverage", "--from", DAY[0], "--to", "2025-03-01T06:00:00Z")[0] == 0


def test_coverage_is_drawn_when_files_are_named(ask: Ask, tmp_path: Path) -> None:
    files = [tmp_path / f"coverage.{kind}" for kind in ("png", "svg", "html")]
    asked = [part for file in files for part in (f"--{file.suffix[1:]}", str(file))]
    code, told = ask("coverage", *SPAN, *asked)
    assert (code, told["pictures"]) == (1, [str(file) for file in files])
    begins = [file.read_bytes()[:5] for file in files]
    assert begins == [b"\x89PNG\r", b"<?xml", b"<!doc"]
    page = files[2].read_text()
    assert page.count("<td>missing</td>") == 2
    assert page.count("<td>writing</td>") == page.count("<td>stale spec</td>") == 1


def test_plan_counts_what_is_needed_when_windows_are_open(
    place: Place, ask: Ask, points: pd.DataFrame, client: InfluxClient
) -> None:
    before = (place.stored(), place.states())
    code, told = ask("plan", "--pipeline", "hours*", *SPAN)
    assert code == 0
    (plan,) = told["pipelines"]
    open_hours = (range(6, 9), range(11, 24))
    assert (plan["needed"]["windows"], plan["needed"]["points"]) == (16, hours_of(points, *open_hours))
    assert (plan["everything"]["windows"], plan["everything"]["points"]) == (24, hours_of(points, range(24)))
    # the earlier spec's block of one hour, and the two of the present one
    assert (plan["history"]["from"], plan["history"]["blocks"], plan["history"]["windows"]) == (
        "pipeline",
        3,
        9,
    )
    assert 0 < plan["needed"]["seconds"] <= plan["everything"]["seconds"] < 60
    pd.testing.assert_frame_equal(before[0], place.stored())
    assert before[1] == place.states()


def test_plan_names_its_ground_when_a_pipeline_has_no_history(
    influx: InfluxServer, client: InfluxClient, ask: Ask, points: pd.DataFrame, place: Place, tmp_path: Path
) -> None:
    file = tmp_path / "lifecycle.yaml"
    lower, other = make_place(influx, client), make_place(influx, client)
    file.write_text(
        f"""
        source_bucket: {place.source}
        measurement: readings
        fields: [temp]
        tiers:
          - {{bucket: {lower.target}, every: 2h, aggregates: [count, sum, mean], name: two hours}}
          - {{bucket: {other.target}, every: 1d, name: days}}
        """
    )
    code, told = ask("plan", "--lifecycle", str(file), *SPAN)
    assert code == 0
    lowest, days = told["pipelines"]
    assert lowest["history"]["from"] == "other pipelines"
    assert lowest["needed"]["points"] == int(points["temp"].notna().sum())
    # a value for each series and aggregate, at most
    assert lowest["needed"]["values"] == 12 * 5 * 3
    assert (days["needed"]["windows"], days["waiting"]) == (1, 1)


def test_windows_are_frozen_when_retention_has_taken_their_points(
    influx: InfluxServer, client: InfluxClient, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    short = make_place(influx, client)
    bucket = f"short_{short.source}"
    client.ensure_bucket(bucket, 3 * 3600)
    grid = spec_of(place).grid
    spec = RollupSpec(
        source_bucket=bucket,
        target_bucket=short.target,
        measurement="readings",
        grid=grid,
        aggregates=("count",),
        ledger_bucket=short.ledger,
    )
    now = datetime.now(UTC)
    stop = now.replace(minute=0, second=0, microsecond=0)
    roll(client, spec, Interval(stop - timedelta(hours=1), stop))
    argv = ["plan", "--pipeline", spec.pipeline_name, "--last", "8h", "--to", format_instant(stop)]
    code = main([*argv, "--ledger-bucket", short.ledger, "--json"])
    (plan,) = json.loads(capsys.readouterr().out)["pipelines"]
    # shard groups have an hour, and those that go in the next 15 minutes count as gone
    gone = sum(stop - timedelta(hours=ago - 1) <= now - timedelta(hours=2.75) for ago in range(1, 9))
    assert code == 1
    assert plan["states"]["committed"] == 1
    assert plan["states"]["frozen"] in (gone, gone + 1)
    (refused,) = plan["frozen"]
    assert (refused["windows"], refused["is_committed"]) == (plan["states"]["frozen"], False)
    assert plan["needed"]["windows"] == 7 - refused["windows"] == plan["states"]["missing"]


def test_receipts_and_history_are_those_written_when_asked_for(ask: Ask, place: Place) -> None:
    code, told = ask("receipts", *SPAN)
    assert code == 1
    (found,) = told["pipelines"]
    states = [receipt["state"] for receipt in found["receipts"]]
    assert states == ["COMMITTED"] * 9 + ["WRITING"]
    assert found["receipts"][0]["window"] == {"start": "2025-03-01T00:00:00Z", "stop": "2025-03-01T01:00:00Z"}
    code, told = ask(
        "receipts", "--history", "--from", "2025-03-01T09:00:00Z", "--to", "2025-03-01T10:00:00Z"
    )
    (found,) = told["pipelines"]
    assert (code, [event["state"] for event in found["receipts"]]) == (0, ["WRITING", "COMMITTED"])
    assert found["receipts"][1]["run_id"] == "run"
    assert ask("receipts", "--from", "2024-01-01", "--to", "2024-01-02")[0] == 1


def test_late_points_are_found_and_repaired_when_it_is_told_to(
    influx: InfluxServer, client: InfluxClient, capsys: pytest.CaptureFixture[str]
) -> None:
    late = make_place(influx, client)
    late.write(make_points(DAY[0], "2025-03-01T03:00", 300))
    roll(client, late.spec("1h", ("count", "last")), interval(DAY[0], "2025-03-01T03:00"))

    def ask(*argv: str) -> Answer:
        span = ("--from", DAY[0], "--to", "2025-03-01T03:00:00Z", "--ledger-bucket", late.ledger, "--json")
        code = main([*argv, *span])
        return code, json.loads(capsys.readouterr().out)["pipelines"][0]

    assert ask("verify")[0] == 0
    client.write_lines(
        late.source, [f"readings,device=new temp=1 {to_ns(datetime(2025, 3, 1, 1, tzinfo=UTC))}"]
    )
    before = late.stored()
    code, found = ask("verify")
    assert (code, found["dirty_total"], found["repaired"]["windows"]) == (1, 1, 0)
    assert found["dirty"][0]["reasons"] == ["new series"]
    pd.testing.assert_frame_equal(before, late.stored())
    code, found = ask("reconcile", "--pipeline", "*")
    assert (code, found["repaired"]["windows"], found["repaired"]["rows"]) == (0, 1, 1)
    assert len(late.stored()) == len(before) + 2
    assert ask("verify")[0] == 0
    code, told = ask("receipts", "--history")
    last = told["receipts"][-1]
    assert last["reason"] == "reconcile: new series"
    assert last["run_id"].startswith("influx-rollup reconcile by ")


def test_doctor_finds_what_is_wrong_when_windows_are_stuck(ask: Ask, place: Place) -> None:
    code, told = ask("doctor")
    found = {finding["check"]: finding for finding in told["findings"]}
    assert {name: one["status"] for name, one in found.items() if one["status"] != "ok"} == {}
    assert code == 0
    assert "influxdb" in found["server"]["message"]
    code, told = ask("doctor", "--stuck-after", "1us", "--drift-since", "7300d")
    found = {finding["check"]: finding for finding in told["findings"]}
    assert {name: one["status"] for name, one in found.items() if one["status"] != "ok"} == {
        "writing": "fail",
        "specs": "warn",
    }
    assert code == 1


@pytest.fixture
def only_reading(influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that may read every bucket and write none."""
    address = InfluxAddress(influx.url, influx.org, influx.token)
    org_id = address.request("GET", "/api/v2/orgs", org=influx.org)["orgs"][0]["id"]
    reads = {"action": "read", "resource": {"type": "buckets", "orgID": org_id}}
    body = json.dumps({"orgID": org_id, "permissions": [reads]}).encode()
    monkeypatch.setenv("INFLUX_TOKEN", address.request("POST", "/api/v2/authorizations", body)["token"])


@pytest.mark.usefixtures("only_reading")
def test_doctor_names_permissions_when_the_token_lacks_them(ask: Ask) -> None:
    code, told = ask("doctor")
    failed = {finding["check"] for finding in told["findings"] if finding["status"] == "fail"}
    assert (code, failed) == (1, {"ledger", "permissions"})


@pytest.mark.usefixtures("only_reading")
def test_windows_are_compared_when_the_token_may_only_read(ask: Ask, place: Place) -> None:
    code, told = ask("verify", *SPAN)
    (found,) = told["pipelines"]
    assert (code, found["windows"], found["failed"]) == (1, 24, [])
    assert {reason for one in found["dirty"] for reason in one["reasons"]} == {
        "never committed",
        "spec changed",
    }
    code, told = ask("reconcile", "--pipeline", spec_of(place).pipeline_name, *SPAN)
    assert (code, told["error"]["name"]) == (2, "InfluxForbidden")


def test_errors_are_told_without_a_traceback_when_the_call_is_wrong(
    ask: Ask, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = ask("plan", "--pipeline", "hours of bold cli", *SPAN)
    assert (code, told["error"]["name"]) == (2, "ConfigurationError")
    assert "'hours of [bold]cli'" in told["error"]["message"]
    code, told = ask("coverage", "--from", "2025-03-01T00:00:00")
    assert (code, told["error"]["name"]) == (2, "WindowUndefined")
    secret = "not-the-token-at-all"
    monkeypatch.setenv("INFLUX_TOKEN", secret)
    assert main(["coverage", "--ledger-bucket", place.ledger]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("InfluxUnauthorized: ")
    assert secret not in printed.err
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(connection, "DEADLINE_SECONDS", 0.1)
        code, told = ask("doctor", "--url", url)
    assert (code, told["findings"][-1]["status"], told["findings"][-1]["check"]) == (2, "fail", "server")
    code, told = ask("doctor", "--url", f"{place.server.url}/elsewhere")
    assert (code, "use the URL of an InfluxDB 2" in told["findings"][-1]["fix"]) == (2, True)


def test_script_is_said_to_be_one_when_it_is_asked_for(
    client: InfluxClient, bucket_factory: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*argv: str) -> str:
        assert main([*argv, "--ledger-bucket", ledger, "--json"]) == 2
        message: str = json.loads(capsys.readouterr().out)["error"]["message"]
        return message

    ledger = bucket_factory()
    assert "has no pipeline, or the token may not read it" in ask("coverage")
    script = {"script": "buckets()", "target_bucket": "rolled"}
    client.write_lines(ledger, [encode_spec("my script", "00", script, datetime.now(UTC))])
    for argv in (["coverage"], ["receipts", "--pipeline", "my*"], ["verify", "--pipeline", "my script"]):
        assert "scripts of their own, which their DAG alone can run: 'my script'" in ask(*argv)
    assert "no pipeline 'mine'" in ask("plan", "--pipeline", "mine")
    hourly = RollupSpec(
        source_bucket="raw",
        target_bucket="rolled",
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count",),
        pipeline="hourly",
    )
    client.write_lines(ledger, [encode_spec("hourly", "11", hourly.as_json(), datetime.now(UTC))])
    assert "'my script'" in ask("receipts", "--pipeline", "my script")


def test_program_answers_quickly_when_it_is_run(place: Place) -> None:
    program = [sys.executable, "-m", "airflow_provider_influx_rollup.cli"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    helped = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "exit codes" in helped.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
    environment = {
        name: value for name, value in os.environ.items() if name.startswith(("INFLUX_", "PYTHON"))
    }
    done = subprocess.run(
        [*program, "coverage", *SPAN, "--ledger-bucket", place.ledger],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert BAR in done.stdout
