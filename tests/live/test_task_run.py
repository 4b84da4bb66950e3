"""Runs of InfluxDB's own tasks for windows of the past: their rows, their logs, failures, retries, kills, restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    TaskNotFound,
    TaskRunFailed,
    WindowMisaligned,
)
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.lifecycle.task_run.spec import RunSpec
from airflow_provider_influx_rollup.lifecycle.task_run.task_run import cancel_runs, run_task
from airflow_provider_influx_rollup.lifecycle.task_wait.task_wait import look_for_runs, wait_for_runs
from airflow_provider_influx_rollup.steps.tasks import ListRuns, StartRun
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.native_scene import SLOW, START, clock, deploy, hours, named_task, script, try_of

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)


def run(
    client: InfluxClient, spec: RunSpec, interval: Interval, said: list[str] | None = None
) -> dict[str, Any]:
    told = [] if said is None else said
    return drive(
        run_task(spec, interval, clock), client, lambda report: told.append(report.message)
    ).as_json()


def runs_of(client: InfluxClient, name: str) -> list[Any]:
    (task,) = client.tasks.find(name)
    return client.tasks.list_runs(ListRuns(task.id))


@pytest.fixture
def name(client: InfluxClient) -> Iterator[str]:
    with named_task(client) as found:
        yield found


@pytest.fixture
def buckets(client: InfluxClient, bucket_factory: Callable[[], str]) -> tuple[str, str, str]:
    """Two series with a point every 7 minutes over two days; two targets."""
    source = bucket_factory()
    first = int((START - 24 * HOUR).timestamp())
    lines = [
        f"m,s={tag} x={(minute * 37 + len(tag)) % 101}.25 {(first + minute * 60) * 10**9}"
        for tag in ("a", "bb")
        for minute in range(0, 3000, 7)
    ]
    client.write_lines(source, lines)
    return source, bucket_factory(), bucket_factory()


def rows_of(client: InfluxClient, bucket: str) -> list[tuple[Any, ...]]:
    rows = client.query(
        f'from(bucket: "{bucket}") |> range(start: 0) |> group() |> sort(columns: ["s", "_time"])'
    )
    return [(row["s"], row["_field"], row["_time"], row["_value"]) for row in rows]


@pytest.mark.recorded
def test_runs_of_past_windows_write_what_the_script_form_writes(
    client: InfluxClient, name: str, buckets: tuple[str, str, str]
) -> None:
    source, native, worker = buckets
    deploy(client, script(name, source, native))
    interval = hours(3)
    said: list[str] = []
    result = run(client, try_of(name), interval, said)
    assert (result["windows"], result["status"]) == (3, "success")
    for n in range(3):
        window = hours(1, START + n * HOUR)
        client.execute(
            script(name, source, worker),
            extern=extern_file(v=window_values(window, Duration.parse("1h"))),
            now=window.stop,
        )
    once = rows_of(client, native)
    assert once == rows_of(client, worker)
    # six windows of ten minutes in each hour, two series
    assert len(once) == 36
    assert any("Started" in line for line in said)
    assert any("Completed(success)" in line for line in said)
    assert not any("option task" in line for line in said)
    run(client, try_of(name), interval)
    assert rows_of(client, native) == once


@pytest.mark.recorded
def test_local_days_of_23_hours_are_run(
    client: InfluxClient, name: str, buckets: tuple[str, str, str]
) -> None:
    source, native, _ = buckets
    deploy(client, script(name, source, native, every="1d").replace("10m", "1d"), timezone="Europe/Berlin")
    day = Interval(datetime(2025, 3, 29, 23, tzinfo=UTC), datetime(2025, 3, 30, 22, tzinfo=UTC))
    assert run(client, try_of(name), day)["windows"] == 1
    assert {row[2] for row in rows_of(client, native)} == {datetime(2025, 3, 30, tzinfo=UTC), day.stop}
    with pytest.raises(WindowMisaligned):
        run(client, try_of(name), Interval(day.start + HOUR, day.stop))


def test_a_failed_run_says_why_and_a_retry_asks_for_it_again(
    client: InfluxClient, name: str, buckets: tuple[str, str, str]
) -> None:
    source, native, _ = buckets
    deploy(client, script(name, source, native))
    client.write_lines(native, [f'm,s=a x="text" {int((START + HOUR / 6).timestamp()) * 10**9}'])
    said: list[str] = []
    with pytest.raises(TaskRunFailed, match=r"ended as failed: .*type conflict") as caught:
        run(client, try_of(name), hours(1), said)
    assert not caught.value.permanent
    assert any("type conflict" in line for line in said)
    client.delete(native, hours(24, START), '_measurement="m"')
    (failed,) = runs_of(client, name)
    said.clear()
    assert run(client, try_of(name, is_retry=True), hours(1), said)["status"] == "success"
    assert any(f"run {failed.id} failed; InfluxDB is asked for it again" in line for line in said)
    # a run that has just ended goes from the list of those under way to the bucket _tasks
    deadline = time.monotonic() + 20
    while (found := [one.status for one in runs_of(client, name)]) != ["failed", "success"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_run_of_this_try_is_not_asked_for_twice_when_the_triggerer_begins_again(
    client: InfluxClient, name: str, buckets: tuple[str, str, str]
) -> None:
    source, native, _ = buckets
    deploy(client, script(name, source, native))
    spec = try_of(name)
    first = run(client, spec, hours(2))
    assert run(client, spec, hours(2)) == first
    assert len(runs_of(client, name)) == 2
    run(client, RunSpec(name, (clock() + timedelta(minutes=1)).isoformat()), hours(2))
    assert len(runs_of(client, name)) == 4


@pytest.mark.recorded
def test_bad_input_is_a_clear_error(client: InfluxClient, name: str, buckets: tuple[str, str, str]) -> None:
    source, native, _ = buckets
    with pytest.raises(TaskNotFound, match="no task"):
        run(client, try_of(name), hours(1))
    flux = script(name, source, native)
    deploy(client, flux, state="inactive")
    with pytest.raises(ConfigurationError, match="inactive"):
        run(client, try_of(name), hours(1))
    deploy(client, flux)
    with pytest.raises(WindowMisaligned, match="does not tile"):
        run(client, try_of(name), Interval(START, START + HOUR / 2))
    assert runs_of(client, name) == []


@pytest.mark.recorded
def test_a_wait_ends_with_the_success_of_each_window(
    client: InfluxClient, name: str, buckets: tuple[str, str, str]
) -> None:
    source, native, _ = buckets
    deploy(client, script(name, source, native))

    def look(interval: Interval) -> Any:
        return drive(look_for_runs(name, interval), client, lambda _: None)

    run(client, try_of(name), hours(1))
    assert look(hours(2)).missed == (Interval(START + HOUR, START + 2 * HOUR),)
    assert look(hours(1)).as_json()["status"] == "success"
    steps = wait_for_runs(name, hours(2), clock, poke_seconds=0.1, deadline=clock() + timedelta(seconds=0.5))
    ended = drive(steps, client, lambda _: None)
    assert (ended["status"], ended["runs"], ended["missed"]) == ("timeout", 1, 1)
    run(client, try_of(name), hours(2))
    found = look(hours(2)).as_json()
    # the first window's run, which is in no list for a moment, may have been asked for twice
    assert found["runs"] in (2, 3)
    assert found | {"run_seconds": [], "task_id": "", "last_run_id": "", "runs": 2} == {
        "task": name, "task_id": "", "window": hours(2).as_json(), "windows": 2, "last_run_id": "",
        "status": "success", "runs": 2, "errors": 0, "missed": 0, "missed_windows": [], "run_seconds": [],
    }  # fmt: skip


def test_a_canceled_run_ends_in_influxdb_and_in_the_verb(client: InfluxClient, name: str) -> None:
    client.tasks.create(SLOW.format(name=name, count=5_000_000), "active", "")
    spec = try_of(name)
    started = threading.Event()
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            drive(
                run_task(spec, hours(1), clock),
                client,
                lambda r: started.set() if "Started" in r.message else None,
            )
        except TaskRunFailed as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert started.wait(30)
    other = client.tasks.start_run(client.tasks.find(name)[0].id, START + 5 * HOUR)
    assert drive(cancel_runs(spec, hours(1)), client, lambda _: None) == 1
    thread.join(30)
    assert "canceled" in str(ended[0])
    # a run of another window goes on
    assert not client.tasks.find_run(other.task_id, other.id).has_ended  # type: ignore[union-attr]
    client.tasks.cancel_run(other.task_id, other.id)


@pytest.mark.recorded
def test_a_run_that_influxdb_has_lost_is_asked_for_again(
    client: InfluxClient, name: str, buckets: tuple[str, str, str]
) -> None:
    source, native, _ = buckets
    deploy(client, script(name, source, native))
    steps = run_task(try_of(name), hours(1), clock)
    said: list[str] = []

    def forgetful() -> Iterator[Any]:
        """The first run that is asked for is answered with an id that InfluxDB does not know."""
        from dataclasses import replace

        answer = None
        lost = False
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            answer = yield step
            if isinstance(step, StartRun) and not lost:
                lost, answer = True, replace(answer, id="00000000000000ff")

    result = drive(forgetful(), client, lambda report: said.append(report.message))  # type: ignore[arg-type]
    assert result.as_json()["status"] == "success"
    assert any("has lost run 00000000000000ff" in line for line in said)
