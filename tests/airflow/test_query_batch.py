"""Many questions in one task, on a real InfluxDB: all answers, failures by name, one limit, no slot of a worker."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, QueriesFailed
from airflow_provider_influx_rollup.operators.query_batch import FluxQueryBatchOperator
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Fault, running_request_proxy
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, tzinfo=UTC)
STOP = START + timedelta(days=1)
PLACE: dict[str, Any] = {"task_id": "ask", "influx_conn_id": "tele", "start": START, "stop": STOP}
OF_SITE = """
from(bucket: params.bucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "fleet" and r.site == params.site)
"""
FLUX = {"rows": f"{OF_SITE} |> group() |> count()", "hottest": f"{OF_SITE} |> group() |> max()"}
SITES = ["north", "south, hall 2"]
#: a query that the server works on for minutes, in little memory, before it sends anything
LONG = """
import "generate"
day = {start: 2024-01-01T00:00:00Z, stop: 2024-01-02T00:00:00Z}
numbers = (count) => generate.from(count: count, fn: (n) => n * n, start: day.start, stop: day.stop)
total = () => (numbers(count: 100000) |> sum() |> findColumn(fn: (key) => true, column: "_value"))[0]
numbers(count: 50000) |> map(fn: (r) => ({_value: total()})) |> sum()
"""
ACTIVE = re.compile(r"^qc_executing_active\{.*\} (\S+)$", re.MULTILINE)


@pytest.fixture
def points() -> pd.DataFrame:
    """Points of two sites, some minutes apart, with hours that have none."""
    times = pd.date_range(START, STOP, freq="7min", inclusive="left")
    frame = pd.DataFrame({"_time": times, "site": [SITES[at % 3 % 2] for at in range(len(times))]})
    frame["temp"] = [float((at * 37) % 101) for at in range(len(times))]
    return frame[(frame["_time"].dt.hour != 4) & (frame["_time"].dt.hour != 17)].reset_index(drop=True)


@pytest.fixture
def bucket(client: InfluxClient, bucket_factory: Callable[[], str], points: pd.DataFrame) -> str:
    name = bucket_factory()
    escaped = points["site"].str.replace(",", "\\,").str.replace(" ", "\\ ")
    nanoseconds = [at.as_unit("ns").value for at in points["_time"]]
    client.write_lines(
        name,
        [
            f"fleet,site={site} temp={temp} {at}"
            for site, temp, at in zip(escaped, points["temp"], nanoseconds, strict=True)
        ],
    )
    return name


def expected(points: pd.DataFrame) -> dict[tuple[str, str, pd.Timestamp], list[float]]:
    """What pandas answers to each question."""
    answers: dict[tuple[str, str, pd.Timestamp], list[float]] = {}
    for hour in pd.date_range(START, STOP, freq="1h", inclusive="left"):
        inside = points[(points["_time"] >= hour) & (points["_time"] < hour + pd.Timedelta("1h"))]
        for site in SITES:
            temps = inside.loc[inside["site"] == site, "temp"]
            answers["rows", site, hour] = [float(len(temps))] if len(temps) else []
            answers["hottest", site, hour] = [float(temps.max())] if len(temps) else []
    return answers


def found(result: dict[str, Any]) -> dict[tuple[str, str, pd.Timestamp], list[float]]:
    """The answers of a batch, by script, site and window."""
    answers: dict[tuple[str, str, pd.Timestamp], list[float]] = {}
    for answer in result["answers"]:
        script, _, site = answer["query"].partition("/site=")
        values = [float(row["_value"]) for row in answer["first_rows"]]
        answers[script, site, pd.Timestamp(answer["window"]["start"])] = values
    return answers


def batch(bucket: str, **given: Any) -> FluxQueryBatchOperator:
    asked: dict[str, Any] = {
        "flux": FLUX,
        "params_flux": {"bucket": bucket},
        "params_each": [{"site": site} for site in SITES],
        "every": "1h",
    }
    return FluxQueryBatchOperator(**(PLACE | asked | given))


def connect_by(monkeypatch: pytest.MonkeyPatch, host: str | None = None, **extra: Any) -> None:
    """Change the connection ``tele``."""
    connection = json.loads(os.environ["AIRFLOW_CONN_TELE"])
    connection["host"] = host or connection["host"]
    connection["extra"] |= extra
    monkeypatch.setenv("AIRFLOW_CONN_TELE", json.dumps(connection))


def in_triggerer(task: FluxQueryBatchOperator, context: Any) -> Any:
    """Run a task as its triggerer and the worker after that do."""
    task.deferrable = True
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    return task.execute_complete(context, fire(reborn(deferred.value.trigger)))


def executing(server: InfluxServer) -> int:
    """Queries that the server works on."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:
        return sum(int(float(count)) for count in ACTIVE.findall(answer.read().decode()))


def wait_for(number: int, server: InfluxServer) -> None:
    began = time.monotonic()
    while executing(server) != number:
        assert time.monotonic() - began < 60, f"not {number} queries, but {executing(server)}"


@pytest.mark.parametrize(
    "run", [lambda task, context: task.execute(context), in_triggerer], ids=["worker", "triggerer"]
)
def test_batch_answers_what_pandas_says_of_each_script_site_and_window(
    bucket: str, points: pd.DataFrame, run: Callable[..., Any]
) -> None:
    result = run(batch(bucket), make_context())
    wanted = expected(points)
    assert len(wanted) == 96
    assert [] in wanted.values()
    assert found(result) == wanted
    counts = [result[name] for name in ("queries", "answered", "failed", "not_asked", "answers_left_out")]
    assert counts == [96, 96, 0, 0, 0]
    assert result["rows"] == sum(len(values) for values in wanted.values())
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    "run", [lambda task, context: task.execute(context), in_triggerer], ids=["worker", "triggerer"]
)
def test_answers_are_kept_and_failures_named_when_some_queries_fail(
    bucket: str, points: pd.DataFrame, run: Callable[..., Any]
) -> None:
    wrong = 'from(bucket: "not there") |> range(start: v.timeRangeStart)'
    flux = {"rows": FLUX["rows"], "gone": wrong, "typo": "nonsense()", "hottest": FLUX["hottest"]}
    context = make_context()
    with pytest.raises(AirflowFailException) as failed:
        run(batch(bucket, flux=flux, every="12h"), context)
    text = str(failed.value)
    assert "8 of 16 queries failed" in text
    assert (
        "gone/site=north, 2 windows in [2024-05-06T00:00:00Z, 2024-05-07T00:00:00Z): BucketNotFound" in text
    )
    assert "undefined identifier" in text
    assert "To do:" in text
    kept = context["ti"].pushed["return_value"]
    assert {failure["query"] for failure in kept["failures"]} == {
        f"{script}/site={site}" for script in ("gone", "typo") for site in SITES
    }
    assert (kept["answered"], len(kept["answers"])) == (8, 8)
    halves = [(START, START + timedelta(hours=12)), (START + timedelta(hours=12), STOP)]
    for start, stop in halves:
        inside = points[(points["_time"] >= start) & (points["_time"] < stop)]
        for site in SITES:
            temps = inside.loc[inside["site"] == site, "temp"]
            assert found(kept)["rows", site, pd.Timestamp(start)] == [len(temps)]


def test_task_succeeds_with_what_was_answered_when_failures_are_skipped(bucket: str) -> None:
    flux = {"rows": FLUX["rows"], "typo": "nonsense()"}
    result = batch(bucket, flux=flux, every=None, on_query_error="skip").execute(make_context())
    assert (result["answered"], result["failed"]) == (2, 2)
    with pytest.raises(AirflowFailException, match="2 of 2 queries failed"):
        batch(bucket, flux={"typo": "nonsense()"}, every=None, on_query_error="skip").execute(make_context())


def test_nothing_more_is_asked_after_a_failure_when_the_batch_fails_fast(bucket: str) -> None:
    context = make_context()
    task = batch(bucket, flux={"typo": "nonsense()"}, on_query_error="fail_fast", max_parallel=2)
    with pytest.raises(AirflowFailException, match="were not asked, as on_query_error is fail_fast"):
        task.execute(context)
    kept = context["ti"].pushed["return_value"]
    assert 1 <= kept["failed"] <= 2
    assert kept["failed"] + kept["not_asked"] == 48


def test_task_is_tried_again_when_the_server_falls_silent(
    bucket: str, influx: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = count(1)

    def decide(_kind: str, request: bytes) -> Fault:
        is_asked = b"params.site" in request
        return Fault("early") if is_asked and next(answered) > 10 else NO_FAULT

    with running_request_proxy(influx.url) as proxy:
        proxy.plan(decide)
        connect_by(monkeypatch, host=proxy.url)
        context = make_context()
        with pytest.raises(QueriesFailed, match="were not asked, as the last 3 ended with InfluxUnavailable"):
            batch(bucket, max_parallel=1).execute(context)
    kept = context["ti"].pushed["return_value"]
    assert (kept["failed"], kept["not_asked"], kept["answered"]) == (3, 83, 10)
    assert len(kept["answers"]) == 10


def test_query_is_asked_once_more_alone_when_its_reason_may_pass(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_by(monkeypatch, max_query_seconds=1)
    context = make_context()
    with pytest.raises(QueriesFailed, match=r"1 of 2 queries failed\. long, .*QueryTooSlow"):
        batch(bucket, flux={"rows": "buckets()", "long": LONG}, every=None, params_each=None).execute(context)
    kept = context["ti"].pushed["return_value"]
    assert (kept["answered"], kept["asked_again"]) == (1, 1)


def test_queries_end_in_the_server_when_the_task_is_killed_in_the_worker(
    bucket: str, influx: InfluxServer
) -> None:
    wait_for(0, influx)
    task = batch(bucket, flux=LONG, max_parallel=3)
    previous = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())

    def kill_when_asked() -> None:
        wait_for(3, influx)
        os.kill(os.getpid(), signal.SIGUSR1)

    killer = threading.Thread(target=kill_when_asked)
    killer.start()
    try:
        with pytest.raises(AirflowException, match="killed before its end"):
            task.execute(make_context())
        killer.join(timeout=60)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    wait_for(0, influx)


def test_queries_end_in_the_server_when_the_trigger_is_cancelled(bucket: str, influx: InfluxServer) -> None:
    wait_for(0, influx)
    task = batch(bucket, flux=LONG, max_parallel=3, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(make_context())

    async def cancel() -> None:
        running = asyncio.create_task(anext(reborn(deferred.value.trigger).run()))
        await asyncio.to_thread(wait_for, 3, influx)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(wait_for, 0, influx)

    asyncio.run(cancel())
    # the others of this process go on
    assert batch(bucket).execute(make_context())["answered"] == 96


def test_batch_is_refused_when_it_asks_nothing() -> None:
    with pytest.raises(ConfigurationError, match="no query"):
        FluxQueryBatchOperator(flux={}, **PLACE)
    with pytest.raises(AirflowFailException, match="params_each"):
        FluxQueryBatchOperator(flux="buckets()", params_each=[], **PLACE).execute(make_context())
