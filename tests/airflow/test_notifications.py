"""Callbacks: what people are told, through any notifier, and the statuses that InfluxDB's rules find."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, BaseNotifier

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, mask_secret
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxUnavailable
from airflow_provider_influx_rollup.notifications.influx_status import InfluxStatusNotifier
from airflow_provider_influx_rollup.notifications.window_failure import (
    WindowFailureNotifier,
    format_window_failure,
)
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence, result_of_event
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
END = START + timedelta(hours=1)
WINDOW = Interval(START, END)
URL = "http://localhost:8080/dags/d/runs/r/tasks/t"


def called_back(error: object = None, *, hour: int = 0, map_index: int = -1) -> dict[str, Any]:
    """What Airflow calls back with."""
    task = SimpleNamespace(start=None, stop=None, window=None, timezone="UTC")
    ti = SimpleNamespace(
        dag_id="d", task_id="t", run_id="r", try_number=2, map_index=map_index, log_url=URL, task=task
    )
    start = START + timedelta(hours=hour)
    interval = {"data_interval_start": start, "data_interval_end": start + timedelta(hours=1)}
    return {"ti": ti, "dag": None, "exception": error, **interval}


class Told(BaseNotifier):
    """Any notifier with a template."""

    template_fields = ("text",)

    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self.text = "<{{ window_failure }}>"
        self.messages = messages

    def notify(self, context: Any) -> None:
        self.messages.append(self.text)


def unreachable(context: Any) -> None:
    """A callback without a network."""
    raise ConnectionError(f"cannot send {context['window_failure']}")


def permanent() -> AirflowFailException:
    """An error of ours as Airflow gets it."""
    error = ConfigurationError("no such thing", window=WINDOW, written="nothing", fix="write it right")
    with pytest.raises(AirflowFailException) as caught, failing_by_permanence():
        raise error
    return caught.value


def test_message_says_what_happened_where_what_was_written_and_what_to_do() -> None:
    expected = [
        "d.t failed (try 2)",
        "What: ConfigurationError: no such thing",
        "Window: [2024-05-06T10:00:00Z, 2024-05-06T11:00:00Z)",
        "Written: nothing",
        "To do: write it right",
        "Run: r",
        f"Log: {URL}",
    ]
    assert format_window_failure(called_back(permanent())).splitlines() == expected
    # the same from the triggerer, which sends text
    text = str(permanent()).partition(": ")[2]
    event = {"status": "error", "error": "ConfigurationError", "message": text, "permanent": True}
    with pytest.raises(AirflowFailException) as caught:
        result_of_event(event)
    assert format_window_failure(called_back(caught.value)).splitlines() == expected


def test_window_is_the_runs_when_the_error_knows_none() -> None:
    lines = format_window_failure(called_back(KeyError("no such series"), map_index=3)).splitlines()
    assert lines[:3] == [
        "d.t[3] failed (try 2)",
        "What: KeyError: 'no such series'",
        "Window: [2024-05-06T10:00:00Z, 2024-05-06T11:00:00Z)",
    ]
    assert format_window_failure(
        {"dag": SimpleNamespace(dag_id="d"), "reason": "timed_out"}
    ).splitlines() == [
        "DAG d failed",
        "What: timed_out",
    ]


def test_window_is_found_when_the_task_was_killed_before_airflow_calls_back() -> None:
    # then the times are as they are written in the DAG
    task = FluxRollupOperator(
        task_id="t",
        source_bucket="a",
        target_bucket="b",
        measurement="m",
        every="1h",
        aggregates=("mean",),
        start="{{ data_interval_start.subtract(hours=2) }}",
        stop="{{ data_interval_end }}",
    )
    context = called_back(KeyError("killed"))
    context |= {"data_interval_start": pendulum.instance(START), "data_interval_end": END}
    context["ti"].task = task
    assert (
        "Window: [2024-05-06T08:00:00Z, 2024-05-06T11:00:00Z)" in format_window_failure(context).splitlines()
    )
    task.start = "{{ ti.xcom_pull('another')['start'] }}"
    assert "Window" not in format_window_failure(context)


def test_window_of_a_mapped_task_that_was_killed_is_its_own_or_none() -> None:
    # Airflow calls back with the task that is not taken apart
    declared = {"source_bucket": "a", "target_bucket": "b", "every": "1h", "aggregates": ("mean",)}
    early, late = "2024-05-06T08:00:00Z", "2024-05-06T09:00:00Z"
    with DAG("d", schedule=None, start_date=START):
        partial = FluxRollupOperator.partial(
            task_id="shared", start="{{ data_interval_start.subtract(hours=2) }}", stop=late, **declared
        )
        shared = partial.expand(measurement=["m", "n"])
        partial = FluxRollupOperator.partial(task_id="own", measurement="m", stop=late, **declared)
        own = partial.expand(start=[early])
        partial = FluxRollupOperator.partial(task_id="listed", **declared)
        listed = partial.expand_kwargs([{"measurement": "m", "start": early, "stop": late}])
        partial = FluxRollupOperator.partial(task_id="none", **declared)
        of_run = partial.expand(measurement=["m", "n"])
    told = []
    for task in (shared, own, listed, of_run):
        context = called_back(KeyError("killed"), map_index=0)
        context["data_interval_start"] = pendulum.instance(START)
        context["ti"].task = task
        lines = format_window_failure(context).splitlines()
        told.append([line for line in lines if line.startswith("Window")])
    assert told == [[f"Window: [{early}, {late})"], [], [], [f"Window: {WINDOW}"]]


def test_secrets_and_long_texts_are_cut() -> None:
    mask_secret("s3cr3t-t0ken")
    text = format_window_failure(called_back(InfluxUnavailable("Token s3cr3t-t0ken " + "x" * 9000)))
    assert "s3cr3t-t0ken" not in text
    assert "***" in text
    assert len(text) == 3000


def test_every_notifier_is_called_with_the_message_when_one_fails() -> None:
    messages: list[str] = []
    plain: list[str] = []
    callbacks = (unreachable, Told(messages), lambda context: plain.append(context["window_failure"]))
    with pytest.raises(ConnectionError, match=r"cannot send d\.t failed"):
        WindowFailureNotifier(*callbacks).notify(called_back(permanent()))
    assert plain[0].startswith("d.t failed")
    assert messages == [f"<{plain[0]}>"]


def statuses(client: InfluxClient, dag_id: str) -> list[tuple[str, str, str]]:
    """Start of the window, level and message of each status, in the order of their times."""
    rows = client.query(
        'import "influxdata/influxdb/monitor"\n'
        f'monitor.from(start: -1h, fn: (r) => r._check_name == "airflow {dag_id}")'
        ' |> group() |> sort(columns: ["_time"])'
    )
    return [(row["window"][12:17], row["_level"], row["_message"]) for row in rows]


def test_recovery_is_told_once_and_for_its_own_window_only(client: InfluxClient) -> None:
    fails = InfluxStatusNotifier(influx_conn_id="tele")
    succeeds = InfluxStatusNotifier(level="ok", influx_conn_id="tele")
    dag_id = f"d_{uuid.uuid4().hex}"

    def back(error: object = None, hour: int = 0) -> dict[str, Any]:
        context = called_back(error, hour=hour)
        context["ti"].dag_id = dag_id
        return context

    succeeds(back())
    assert statuses(client, dag_id) == []
    failure = back(permanent())
    fails(failure)
    succeeds(back(hour=1))
    crit = ("10:00", "crit", format_window_failure(failure))
    assert statuses(client, dag_id) == [crit]
    succeeds(back())
    succeeds(back())
    assert statuses(client, dag_id) == [
        crit,
        ("10:00", "ok", f"{dag_id}.t is right for {WINDOW} now, after crit"),
    ]
    changes = client.query(
        'import "influxdata/influxdb/monitor"\n'
        f'monitor.from(start: -1h, fn: (r) => r.dag_id == "{dag_id}")'
        ' |> monitor.stateChanges(fromLevel: "crit", toLevel: "ok")'
    )
    assert [(row["_check_name"], row["task_id"], row["_type"]) for row in changes] == [
        (f"airflow {dag_id}", "t", "custom")
    ]


def test_status_is_of_the_dag_when_airflow_knows_no_task_of_its_run(client: InfluxClient) -> None:
    dag_id = f"d_{uuid.uuid4().hex}"
    # all that 3.x calls a DAG's own callbacks back with when it can tell no task
    context = {"dag": DAG(dag_id, schedule=None), "run_id": "r", "reason": "timed_out"}
    InfluxStatusNotifier(influx_conn_id="tele")(dict(context))
    InfluxStatusNotifier(level="ok", influx_conn_id="tele")(dict(context))
    rows = client.query(
        f'from(bucket: "_monitoring") |> range(start: -1h) |> filter(fn: (r) => r.dag_id == "{dag_id}")'
        ' |> filter(fn: (r) => r._field == "_message") |> group() |> sort(columns: ["_time"])'
    )
    assert [(row["_level"], row["_value"]) for row in rows] == [
        ("crit", f"DAG {dag_id} failed\nWhat: timed_out\nRun: r"),
        ("ok", f"{dag_id} is right for its run now, after crit"),
    ]


def test_notifier_is_refused_when_its_level_is_unknown() -> None:
    with pytest.raises(ConfigurationError, match="fatal"):
        InfluxStatusNotifier(level="fatal")
