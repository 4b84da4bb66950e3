from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowException,
    AirflowFailException,
    Stats,
    TaskDeferred,
)
from airflow_provider_influx_rollup.client import server_clock
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable, WindowNotDue
from airflow_provider_influx_rollup.hooks.client_cache import close_all_clients
from airflow_provider_influx_rollup.links.influx import LINKS_XCOM_KEY
from airflow_provider_influx_rollup.links.windows import WINDOWS_XCOM_KEY
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._ledger import LedgerStageOperator
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.steps.influx import Query, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.triggers import lifecycle_job
from airflow_provider_influx_rollup.windows.interval import format_instant
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2026, 1, 1, tzinfo=UTC)
STOP = START + timedelta(hours=1)


class Stage(WindowStageOperator, LedgerStageOperator, DeferrableVerbOperator):
    template_fields = (*WindowStageOperator.template_fields, *LedgerStageOperator.template_fields)


def count_rows(flux: str, rows_of: str) -> Steps[dict[str, Any]]:
    yield Report(f"counting {rows_of}", level="warning")
    rows = yield Query(flux)
    return {"rows": len(rows)}


def tell_time(clock: Any) -> Steps[dict[str, Any]]:
    yield Report("looking at the clock")
    return {"now": clock().isoformat()}


def time_from_job(_job: Mapping[str, Any], clock: Any) -> Steps[dict[str, Any]]:
    return (yield from tell_time(clock))


def count_from_job(job: Mapping[str, Any], clock: Any) -> Steps[dict[str, Any]]:
    result = yield from count_rows(job["spec"]["flux"], job["run_info"]["task_id"])
    return {**result, "window": job["intervals"][0], "ran_in_time": clock() > STOP}


def fail_from_job(job: Mapping[str, Any], clock: Any) -> Steps[dict[str, Any]]:
    yield Report("going to fail")
    what = "the window is not due"
    raise WindowNotDue(what, written="nothing", fix="wait")


@pytest.fixture
def verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = {"stage": count_from_job, "time": time_from_job, "fail": fail_from_job}
    monkeypatch.setattr(lifecycle_job, "VERBS", (*lifecycle_job.VERBS, *functions))
    for verb, function in functions.items():
        entry = SimpleNamespace(steps_from_job=function)
        monkeypatch.setitem(sys.modules, f"{lifecycle_job.FOLDER}.{verb}.{verb}", entry)


def make_operator(conn_id: str = "tele", **kwargs: Any) -> Any:
    operator = Stage(task_id="stage", influx_conn_id=conn_id, start=START, stop=STOP.isoformat(), **kwargs)
    operator.bucket = "a b"
    return operator


def test_result_is_returned_when_the_verb_ends(client: Any) -> None:
    wanted = len(client.query("buckets()"))
    assert wanted > 0
    result = make_operator().run_verb(make_context(), lambda _clock: count_rows("buckets()", "buckets"))
    assert result == {"rows": wanted}


@pytest.mark.usefixtures("verbs")
@pytest.mark.parametrize("hours", [-2, 2])
def test_verbs_get_the_server_s_clock_when_the_worker_s_is_off(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_clock, "machine_now", lambda: datetime.now(UTC) + timedelta(hours=hours))
    here = make_operator().run_verb(make_context(), tell_time)
    job = lifecycle_job.LifecycleJobTrigger("time", {}, [], {}, influx_conn_id="tele")
    close_all_clients()
    there = fire(job)["result"]
    for told in (here, there):
        assert abs(datetime.fromisoformat(told["now"]) - datetime.now(UTC)) < timedelta(seconds=30)


def test_links_name_the_buckets_when_the_stage_has_begun(influx: Any, client: Any) -> None:
    context = make_context()
    make_operator(ledger_bucket="book").run_verb(context, lambda _clock: count_rows("buckets()", "x"))
    links = context["ti"].pushed[LINKS_XCOM_KEY]
    org_id = client.query("buckets() |> limit(n: 1)")[0]["organizationID"]
    for name, bucket in (("data", "a b"), ("receipts", "book")):
        parts = urlsplit(links[name])
        assert f"{parts.scheme}://{parts.netloc}" == influx.url
        assert parts.path == f"/orgs/{org_id}/data-explorer"
        assert parse_qs(parts.query) == {"bucket": [bucket]}
    query = parse_qs(urlsplit(context["ti"].pushed[WINDOWS_XCOM_KEY]).query)
    span = {"from": [format_instant(START)], "to": [format_instant(STOP)]}
    assert query == {"conn": ["tele"], "ledger": ["book"], **span}


def test_windows_link_has_what_a_verb_says_that_it_was_about() -> None:
    looked_back = {
        "window": {"start": "2020-01-01T00:00:00Z", "stop": "2020-01-02T00:00:00Z"},
        "pipeline": "p",
    }

    def look_back(_now: Any) -> Any:
        yield from ()
        return looked_back

    context = make_context()
    make_operator().run_verb(context, look_back)
    query = parse_qs(urlsplit(context["ti"].pushed[WINDOWS_XCOM_KEY]).query)
    assert (query["from"], query["to"], query["q"]) == (
        ["2020-01-01T00:00:00Z"],
        ["2020-01-02T00:00:00Z"],
        ["p"],
    )


DASHBOARD = "0a1b2c3d4e5f6071"


@pytest.fixture
def with_dashboard(connections: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection names a dashboard."""
    fields = json.loads(os.environ["AIRFLOW_CONN_TELE"])
    fields["extra"]["dashboard"] = DASHBOARD
    monkeypatch.setenv("AIRFLOW_CONN_TELE", json.dumps(fields))


@pytest.mark.usefixtures("with_dashboard", "verbs")
@pytest.mark.parametrize("is_deferred", [False, True])
def test_data_link_is_the_dashboard_with_the_time_that_a_verb_was_about(
    influx: Any, is_deferred: bool
) -> None:
    window = {"start": "2020-01-01T00:00:00Z", "stop": "2020-01-02T00:00:00Z"}

    def look_back(_now: Any) -> Any:
        yield from ()
        at_start.update(context["ti"].pushed[LINKS_XCOM_KEY])
        return {"window": window}

    context, operator, at_start = make_context(), make_operator(ledger_bucket="book"), {}
    if is_deferred:
        operator.execute_complete(context, {"status": "success", "result": {"window": window}})
    else:
        operator.run_verb(context, look_back)
        shown = parse_qs(urlsplit(at_start["data"]).query)
        # what a task that fails has: the time of its run
        assert (shown["lower"], shown["upper"]) == ([format_instant(START)], [format_instant(STOP)])
    links = context["ti"].pushed[LINKS_XCOM_KEY]
    parts = urlsplit(links["data"])
    assert f"{parts.scheme}://{parts.netloc}" == influx.url
    assert parts.path.endswith(f"/dashboards/{DASHBOARD}")
    assert parse_qs(parts.query) == {
        "lower": [window["start"]],
        "upper": [window["stop"]],
        "vars[bucket]": ["a b"],
    }
    assert parse_qs(urlsplit(links["receipts"]).query) == {"bucket": ["book"]}


def test_line_of_a_stage_says_which_code_it_was_made_of(mocker: MockerFixture) -> None:
    operator, context = make_operator(), make_context()
    context["ti"].bundle_instance = SimpleNamespace(name="telemetry-git", version="4f2e9c1")
    said = mocker.patch.object(operator.log, "info")
    operator.run_verb(context, lambda _clock: count_rows("buckets()", "buckets"))
    (line,) = [
        str(call.args[-1]) for call in said.call_args_list if str(call.args[-1]).startswith("influx_rollup ")
    ]
    assert line.endswith(" bundle=telemetry-git bundle_version=4f2e9c1")


@pytest.mark.parametrize(
    ("conn_id", "flux", "error", "words"),
    [
        ("tele", 'from(bucket: "none-such") |> range(start: 0)', AirflowFailException, "none-such"),
        ("down", "buckets()", InfluxUnavailable, "127.0.0.1:1"),
    ],
)
def test_task_fails_for_good_or_is_retried_when_the_verb_raises(
    conn_id: str, flux: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make_operator(conn_id).run_verb(make_context(), lambda _clock: count_rows(flux, "x"))


NOTHING_YET = r"Written: nothing by this request\. To do: "


def test_error_says_that_nothing_was_written_when_the_server_is_away_before_the_verb() -> None:
    with pytest.raises(InfluxUnavailable, match=NOTHING_YET):
        make_operator("down").run_verb(make_context(), tell_time)


@pytest.mark.usefixtures("verbs")
def test_error_says_that_nothing_was_written_when_the_server_is_away_before_the_deferred_verb() -> None:
    event = fire(lifecycle_job.LifecycleJobTrigger("time", {}, [], {}, "down"))
    with pytest.raises(InfluxUnavailable, match=NOTHING_YET):
        make_operator("down").execute_complete(make_context(), event)


@pytest.mark.parametrize(
    ("conn_id", "flux", "outcome"),
    [
        ("tele", "buckets()", "success"),
        ("tele", 'from(bucket: "none-such") |> range(start: 0)', "failed"),
        ("down", "buckets()", "retryable"),
    ],
)
def test_metrics_tell_time_and_outcome_when_a_verb_ended(
    mocker: MockerFixture, conn_id: str, flux: str, outcome: str
) -> None:
    incr, timing = (mocker.patch.object(Stats, name) for name in ("incr", "timing"))
    try:
        make_operator(conn_id).run_verb(make_context(), lambda _clock: count_rows(flux, "x"))
    except (AirflowException, InfluxUnavailable):
        assert outcome != "success"
    told = [call.args[0].rpartition(".")[2] for call in incr.call_args_list]
    of_requests = {"requests", "bytes_sent", "bytes_received"}
    assert of_requests & set(told) == (of_requests if conn_id == "tele" else {"requests", "bytes_sent"})
    # where nothing listens there may be time for another try
    rest = [name for name in told if name not in {*of_requests, "retries"}]
    assert rest == ([outcome, "rows"] if outcome == "success" else [outcome])
    timing.assert_called_once_with("influx_rollup.stage.duration", mocker.ANY)
    assert timing.call_args.args[1] > timedelta(0)


def test_interval_fails_the_task_when_the_run_has_none() -> None:
    operator = Stage(task_id="stage", influx_conn_id="tele")
    with pytest.raises(AirflowFailException, match="WindowUndefined"):
        operator.interval({})


def test_ledger_bucket_is_the_configured_one_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__LEDGER_BUCKET", "receipts")
    assert Stage(task_id="stage").ledger_bucket == "receipts"


def test_every_template_field_is_an_attribute_when_an_operator_is_made() -> None:
    operator = Stage(task_id="stage")
    assert [name for name in operator.template_fields if not hasattr(operator, name)] == []


def deferred_event(operator: Any, context: dict[str, Any], spec: dict[str, Any]) -> Any:
    """Defer, store and restore the trigger as Airflow does, and take its only event."""
    with pytest.raises(TaskDeferred) as caught:
        operator.defer_verb(context, spec, [operator.interval(context)])
    assert caught.value.method_name == "execute_complete"
    return fire(reborn(caught.value.trigger))


@pytest.mark.usefixtures("verbs")
def test_deferred_verb_gives_its_result_when_the_triggerer_ran_it(client: Any) -> None:
    operator, context = make_operator(), make_context()
    event = deferred_event(operator, context, {"flux": "buckets()"})
    result = operator.execute_complete(context, event)
    assert result["rows"] == len(client.query("buckets()"))
    assert result["window"] == {"start": "2026-01-01T00:00:00Z", "stop": "2026-01-01T01:00:00Z"}
    assert result["ran_in_time"]
    assert LINKS_XCOM_KEY in context["ti"].pushed


@pytest.mark.usefixtures("verbs")
@pytest.mark.parametrize("flux", ["buckets()", 'from(bucket: "none-such") |> range(start: 0)'])
def test_duration_of_a_deferred_verb_is_that_of_its_work_in_the_triggerer(
    mocker: MockerFixture, flux: str
) -> None:
    operator, context = make_operator(), make_context()
    event = deferred_event(operator, context, {"flux": flux})
    assert 0 < event["seconds"] < 60
    timing = mocker.patch.object(Stats, "timing")
    for given in (event, {**event, "seconds": 812.5}):
        is_bad = "none-such" in flux
        with pytest.raises(AirflowFailException) if is_bad else contextlib.nullcontext():
            operator.execute_complete(context, given)
        told = timing.call_args.args[1]
        assert timedelta(seconds=given["seconds"]) < told < timedelta(seconds=given["seconds"] + 5)


@pytest.mark.usefixtures("verbs")
def test_deferred_verb_fails_the_task_when_its_error_is_permanent() -> None:
    operator, context = make_operator(), make_context()
    event = deferred_event(operator, context, {"flux": 'from(bucket: "none-such") |> range(start: 0)'})
    with pytest.raises(AirflowFailException, match=r"BucketNotFound.*none-such"):
        operator.execute_complete(context, event)


@pytest.mark.usefixtures("verbs")
def test_deferred_verb_is_retried_when_its_error_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    operator, context = make_operator(), make_context()
    monkeypatch.setattr(Stage, "verb", "fail")
    event = deferred_event(operator, context, {})
    with pytest.raises(WindowNotDue, match=r"not due\. Written: nothing\. To do: wait\."):
        operator.execute_complete(context, event)


def test_running_request_ends_when_the_task_is_killed(influx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = make_operator("silent")
    previous = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        extra = {"org": influx.org, "read_timeout_seconds": 60, "deadline_seconds": 60}
        value = {"conn_type": "influx_rollup", "host": url, "password": "x-token", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SILENT", json.dumps(value))

        def kill_when_asked() -> None:
            asked, _ = server.accept()
            with asked:
                assert asked.recv(1)
                os.kill(os.getpid(), signal.SIGUSR1)
                # the request ends when its connection does
                while asked.recv(65536):
                    pass

        killer = threading.Thread(target=kill_when_asked)
        killer.start()
        try:
            with pytest.raises(AirflowException, match="killed before its end"):
                operator.run_verb(make_context(), lambda _clock: count_rows("buckets()", "x"))
            killer.join(timeout=10)
            assert not killer.is_alive()
        finally:
            signal.signal(signal.SIGUSR1, previous)


def test_nothing_is_raised_when_a_task_is_killed_that_runs_no_verb() -> None:
    make_operator().on_kill()
