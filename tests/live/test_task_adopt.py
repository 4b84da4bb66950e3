"""``influx-rollup tasks adopt`` on a real InfluxDB: a task's declaration gives the rows that the task has written."""

from __future__ import annotations

import json
import statistics
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.task_adopt import proof
from airflow_provider_influx_rollup.steps.tasks import UpdateTask
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.native_scene import HOUR, START, deploy, named_task, run_to_its_end

pytestmark = pytest.mark.live

# over the change of the clocks in Europe
STOP = START + 4 * HOUR
MINUTE = timedelta(minutes=1)
STEP = 5 * MINUTE
HOSTS = ("a", "b")
Adopt = Callable[..., tuple[int, dict[str, Any]]]


def value(host: str, at: datetime) -> float:
    return ((at - START) // STEP * 7 % 13) / 3 + HOSTS.index(host)


def times(start: datetime = START, stop: datetime = STOP) -> list[datetime]:
    return [start + number * STEP for number in range((stop - start) // STEP)]


@pytest.fixture
def name(client: InfluxClient) -> Iterator[str]:
    with named_task(client) as found:
        yield found


@pytest.fixture
def buckets(client: InfluxClient, bucket_factory: Callable[[], str]) -> tuple[str, str]:
    source, target = bucket_factory(), bucket_factory()
    lines = [
        f"m,host={host} temp={value(host, at)},rpm={(at - START) // STEP}i {int(at.timestamp())}000000000"
        for host in HOSTS
        for at in times()
    ]
    client.write_lines(source, lines)
    return source, target


@pytest.fixture
def adopt(influx: InfluxServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Adopt:
    for variable, text in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{variable}", text)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["tasks", "adopt", *words, "--json"])
        told = json.loads(capsys.readouterr().out)
        return code, told["tasks"][0] if "tasks" in told else told["error"]

    return run


def stored(client: InfluxClient, bucket: str, measurement: str = "m") -> dict[tuple[str, str, datetime], Any]:
    """Everything in a bucket, by host, field and time."""
    rows = client.query(
        f'from(bucket: "{bucket}") |> range(start: 2025-01-01T00:00:00Z, stop: 2025-12-31T00:00:00Z)'
        f' |> filter(fn: (r) => r._measurement == "{measurement}")'
    )
    return {(row.get("host", ""), row["_field"], row["_time"]): row["_value"] for row in rows}


def flux(name: str, source: str, target: str, *, task: str = "every: 1h, offset: 10m", body: str = "") -> str:
    return f"""option task = {{name: "{name}", {task}}}

from(bucket: "{source}")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "m" and r._field == "temp")
{body or "    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)"}
    |> to(bucket: "{target}")
"""


def ran(client: InfluxClient, script: str, at: list[datetime]) -> str:
    """Create the task, and let InfluxDB run it at some times, one after another."""
    task = client.tasks.create(script, "active", "")
    for stop in at:
        found = run_to_its_end(client, task.id, stop)
        assert found.status == "success", found.log
    return task.id


STOPS = [START + number * HOUR for number in range(1, 5)]
OF_FOUR = ("--windows", "4", "--to", STOP.isoformat())


def test_a_plain_task_becomes_a_rollup_with_equal_rows(
    client: InfluxClient,
    name: str,
    buckets: tuple[str, str],
    bucket_factory: Callable[[], str],
    adopt: Adopt,
    tmp_path: Path,
) -> None:
    source, target = buckets
    ran(client, flux(name, source, target), STOPS)
    before = stored(client, target)
    oracle = {
        (host, stop): statistics.fmean(value(host, at) for at in times(stop - HOUR, stop))
        for host in HOSTS
        for stop in STOPS
    }
    assert {(host, at): mean for (host, _, at), mean in before.items()} == pytest.approx(oracle)
    code, told = adopt(name, *OF_FOUR, "--folder", str(tmp_path))
    assert (code, told["form"], told["unproven"], told["examples"]) == (0, "rollup", "", [])
    # two hosts, one field
    assert [(one["task_rows"], one["declared_rows"], one["equal"]) for one in told["windows"]] == [
        (2, 2, 2)
    ] * 4
    assert [one["stop"] for one in told["windows"]] == [f"{stop:%Y-%m-%dT%H:%M:%SZ}" for stop in STOPS]
    assert any("lateness" in note for note in told["notes"])
    assert stored(client, target) == before
    # the file that was written makes the rows that were promised
    (file,) = tmp_path.glob("*.yaml")
    span = ("--from", START.isoformat(), "--to", STOP.isoformat())
    assert main(["run", str(file), *span, "--ledger-bucket", bucket_factory()]) == 0
    made = {key: mean for key, mean in stored(client, target).items() if key[1] == "temp_mean"}
    assert {(host, at + HOUR): mean for (host, _, at), mean in made.items()} == pytest.approx(oracle)
    code, told = adopt(name, "--folder", str(tmp_path))
    assert (code, told["name"]) == (2, "ConfigurationError")
    assert "there already" in told["message"]


@pytest.mark.recorded
def test_rows_that_were_changed_lost_or_added_are_told(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    ran(client, flux(name, source, target), STOPS)
    first, second, third, _ = (int(stop.timestamp()) * 10**9 for stop in STOPS)
    client.write_lines(target, [f"m,host=a temp=99 {first}", f"m,host=c temp=1 {third}"])
    client.delete(target, Interval(STOPS[1], STOPS[1] + MINUTE), '_measurement="m" AND host="b"')
    # of others: another field, other tags, another measurement
    client.write_lines(
        target, [f"m,host=a else=1 {second}", f"m,site=x temp=1 {second}", f"n,host=a temp=1 {second}"]
    )
    code, told = adopt(name, *OF_FOUR)
    assert (code, told["unproven"]) == (1, "")
    assert [(one["task_rows"], one["equal"], one["different"]) for one in told["windows"]] == [
        (2, 1, 1), (1, 1, 1), (3, 2, 1), (2, 2, 0)
    ]  # fmt: skip
    pairs = {one["row"]: (one["task"], one["declared"]) for one in told["examples"]}
    assert pairs == {
        "m,host=a temp 2025-03-30T00:00:00Z": (99, pytest.approx(2.0)),
        "m,host=b temp 2025-03-30T01:00:00Z": (None, pytest.approx(statistics.fmean(value("b", at) for at in times(START + HOUR, START + 2 * HOUR)))),
        "m,host=c temp 2025-03-30T02:00:00Z": (1, None),
    }  # fmt: skip


@pytest.mark.recorded("starts")
@pytest.mark.parametrize(
    ("task", "body", "rows"),
    [
        ("every: 1h", "    |> aggregateWindow(every: 10m, fn: max, timeSrc: \"_start\")", 24),
        ("every: 2h", "    |> aggregateWindow(every: 1h, fn: sum)", 6),
        ("cron: \"0 * * * *\"", "    |> aggregateWindow(every: 1h, fn: last)\n    |> set(key: \"_measurement\", value: \"m2\")", 4),
        ("every: 30m", "    |> filter(fn: (r) => r.host == \"b\" or r[\"host\"] == \"x\")\n    |> aggregateWindow(every: 15m, offset: 0s, fn: count, createEmpty: false)", 4),
    ],
    ids=["starts", "two hours", "cron", "filter"],
)  # fmt: skip
def test_rollups_of_all_shapes_give_the_rows_of_their_tasks(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt, task: str, body: str, rows: int
) -> None:
    source, target = buckets
    length = {"every: 2h": 2 * HOUR, "every: 30m": HOUR / 2}.get(task, HOUR)
    script = flux(name, source, target, task=task, body=body)
    if "cron" in task:
        script = script.replace("-task.every", "-1h")
    # InfluxDB runs a task of two hours at even ones
    first = START + (length if length < 2 * HOUR else HOUR)
    ran(client, script, [first, first + length])
    code, told = adopt(name, "--windows", "2", "--to", (first + length).isoformat())
    assert (code, told["form"], told["unproven"]) == (0, "rollup", ""), told
    assert [one["equal"] for one in told["windows"]] == [one["task_rows"] for one in told["windows"]]
    assert sum(one["task_rows"] for one in told["windows"]) == rows


@pytest.mark.recorded
def test_the_oldest_window_of_a_script_that_stamps_starts_is_compared(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    body = """    |> aggregateWindow(every: 1h, fn: mean, timeSrc: "_start", createEmpty: false)
    |> map(fn: (r) => ({r with _value: r._value * 2.0}))"""
    ran(client, flux(name, source, target, body=body), STOPS)
    code, told = adopt(name, *OF_FOUR)
    assert (code, told["form"]) == (0, "script"), told
    assert [(one["task_rows"], one["equal"]) for one in told["windows"]] == [(2, 2)] * 4
    client.write_lines(source, [f"m,host=a temp=1000 {int(START.timestamp())}000000001"])
    code, told = adopt(name, *OF_FOUR)
    assert (code, [one["different"] for one in told["windows"]]) == (1, [1, 0, 0, 0])


@pytest.mark.recorded
def test_rows_that_lie_in_no_window_prove_nothing(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    body = """    |> sum()
    |> map(fn: (r) => ({r with _time: 2020-01-01T00:00:00Z}))"""
    ran(client, flux(name, source, target, body=body), STOPS)
    code, told = adopt(name, *OF_FOUR)
    assert (code, told["unproven"]) == (
        1,
        "no row has a time within the windows: there was nothing to compare",
    )


@pytest.mark.recorded
def test_a_script_that_is_no_rollup_is_run_without_its_writes(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt, tmp_path: Path
) -> None:
    source, target = buckets
    body = """    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> map(fn: (r) => ({r with _value: r._value * 1.8 + 32.0}))  // °F"""
    ran(client, flux(name, source, target, body=body), STOPS)
    before = stored(client, target)
    code, told = adopt(name, *OF_FOUR, "--folder", str(tmp_path))
    assert (code, told["form"]) == (0, "script"), told
    assert told["no_rollup"] == ["it calls map() on line 7, which a rollup does not have"]
    assert [(one["task_rows"], one["equal"]) for one in told["windows"]] == [(2, 2)] * 4
    assert stored(client, target) == before
    (script,) = tmp_path.glob("*.flux")
    assert script.read_text() == client.tasks.find(name)[0].flux
    assert f'target_bucket="{target}"' in next(tmp_path.glob("*.py")).read_text()
    client.write_lines(source, [f"m,host=a temp=1000 {int(START.timestamp())}000000001"])
    code, told = adopt(name, *OF_FOUR)
    assert (code, [one["different"] for one in told["windows"]]) == (1, [1, 0, 0, 0])
    code, told = adopt(name, *OF_FOUR, "--form", "rollup")
    assert (code, told["name"]) == (2, "ConfigurationError")
    assert "it calls map() on line 7" in told["message"]


@pytest.mark.recorded
def test_a_script_that_writes_too_many_rows_to_compare_is_told(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = buckets
    monkeypatch.setattr(proof, "MAX_ROWS", 30)
    client.tasks.create(flux(name, source, target, body="    |> map(fn: (r) => r)"), "active", "")
    code, told = adopt(name, *OF_FOUR)
    assert (code, told["windows"]) == (1, [])
    # 24 rows an hour
    assert "more than 30 rows by 2025-03-30T01:00:00Z" in told["unproven"]


@pytest.mark.recorded
def test_a_script_that_fails_is_declared_and_nothing_is_proven(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    body = '    |> map(fn: (r) => ({r with _value: int(v: "x")}))'
    client.tasks.create(flux(name, source, target, body=body), "active", "")
    code, told = adopt(name, *OF_FOUR)
    assert (code, told["form"], told["windows"], len(told["files"])) == (1, "script", [], 2)
    assert "the script fails for [2025-03-29T23:00:00Z, 2025-03-30T00:00:00Z): " in told["unproven"]
    assert 'cannot convert string "x" to int' in told["unproven"]


def test_runs_that_write_earlier_rows_again_count_as_in_influxdb(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    # the first row of each run is of a part of a window, and the next run writes it again
    script = flux(name, source, target, task="every: 20m").replace("-task.every", "-40m")
    ran(client, script, [START + number * 20 * MINUTE for number in range(2, 10)])
    code, told = adopt(name, "--windows", "3", "--to", (START + 2 * HOUR).isoformat())
    assert told["form"] == "script"
    assert "not whole windows of 1h" in told["no_rollup"][0]
    assert code == 0, told


@pytest.mark.recorded
def test_what_no_operator_takes_stays_a_task(
    client: InfluxClient, name: str, buckets: tuple[str, str], bucket_factory: Callable[[], str], adopt: Adopt
) -> None:
    source, target = buckets
    script = flux(name, source, target)
    other = script.replace(target, bucket_factory()).partition("\n\n")[2]
    client.tasks.create(f"{script}\n{other}", "active", "")
    code, told = adopt(name, *OF_FOUR)
    assert (code, told["form"], told["windows"]) == (1, "task", [])
    assert "nothing to compare" in told["unproven"]
    assert "it writes 2 times, on lines 7, 13" in told["no_rollup"][0]
    assert "does not write into one bucket" in told["no_script"][0]
    assert "InfluxTaskDeployOperator" in next(
        text for file, text in told["files"].items() if file.endswith(".py")
    )


@pytest.mark.recorded
def test_a_task_of_a_deploy_loses_its_v(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    script = flux(name, source, target).replace(
        "start: -task.every", "start: v.timeRangeStart, stop: v.timeRangeStop"
    )
    deploy(client, script)
    (task,) = client.tasks.find(name)
    assert "option v" in task.flux
    for stop in STOPS[:2]:
        assert run_to_its_end(client, task.id, stop).status == "success"
    span = ("--windows", "2", "--to", STOPS[1].isoformat())
    code, told = adopt(name, *span)
    assert (code, told["form"], [one["equal"] for one in told["windows"]]) == (0, "rollup", [2, 2])
    code, told = adopt(name, *span, "--form", "script")
    assert (code, [one["equal"] for one in told["windows"]]) == (0, [2, 2])
    assert script in told["files"].values()
    # windows of v that are not those between the runs
    deploy(client, script, every="1d", timezone="Europe/Berlin")
    code, told = adopt(name, *span)
    assert (code, told["form"]) == (1, "task")
    assert "the last window of 1d in Europe/Berlin" in told["no_rollup"][-1]


def test_bad_input_is_told_apart(
    client: InfluxClient, influx: InfluxServer, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    elsewhere = InfluxAddress(influx.url, influx.org, influx.token).new_organisation(
        f"org {uuid.uuid4().hex[:8]}"
    )
    with InfluxClient(
        ClientSettings(url=elsewhere.url, org=elsewhere.org, token=lambda _: influx.token)
    ) as theirs:
        made = theirs.tasks.create(
            f'option task = {{name: "{name}", every: 1h}}\n\nbuckets()\n', "active", ""
        )
        code, told = adopt(name)
        assert (code, told["name"]) == (2, "TaskNotFound")
        theirs.tasks.delete(made.id)
    client.tasks.create(
        flux(name, source, target, task='cron: "0 0 1 * 1"').replace("-task.every", "-1h"), "active", ""
    )
    code, told = adopt(name)
    assert (code, told["name"]) == (2, "ConfigurationError")
    assert "day of the month or a weekday" in told["message"]
    for words in (["--windows", "0"], ["--windows", "x"], ["--to", "soon"], ["--form", "picture"]):
        assert adopt(name, *words)[0] == 2


@pytest.mark.recorded
def test_windows_without_points_prove_nothing(
    client: InfluxClient, name: str, buckets: tuple[str, str], adopt: Adopt
) -> None:
    source, target = buckets
    client.tasks.create(flux(name, source, target), "active", "")
    code, told = adopt(name, "--to", "2025-01-02", "--windows", "3")
    assert (code, told["windows"]) == (1, [])
    assert "no points" in told["unproven"]


@pytest.mark.recorded
def test_people_read_a_table(
    client: InfluxClient,
    name: str,
    buckets: tuple[str, str],
    adopt: Adopt,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, target = buckets
    task_id = ran(client, flux(name, source, target), STOPS[:1])
    (task,) = client.tasks.find(name)
    client.tasks.update(UpdateTask(task_id, task.flux, "inactive", ""))
    assert main(["tasks", "adopt", name, "--windows", "1", "--to", STOPS[0].isoformat()]) == 0
    said = capsys.readouterr().out
    assert "every 1h, inactive  ->  a rollup" in said
    assert "1 window: 2 rows are equal, 0 differ" in said
    assert "FluxRollupOperator(" in said
    assert "source_bucket:" in said
