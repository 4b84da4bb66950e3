"""What stages count, as Airflow's metrics get it: the points that were written by hand are the oracle."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowFailException,
    AirflowSkipException,
    Stats,
    TaskDeferred,
)
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.operators.task_history import InfluxTaskHistoryOperator
from airflow_provider_influx_rollup.operators.task_run import InfluxTaskRunOperator
from airflow_provider_influx_rollup.sensors.task_run import InfluxTaskRunSensor
from tests.scenes.native_scene import named_task
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2026, 1, 1, tzinfo=UTC)
#: three windows of an hour, with 4, 0 and 2 points of each of two fields
MINUTES = (0, 10, 20, 30, 120, 130)


#: of the requests, whose number is not what is looked at here
OF_REQUESTS = ("requests", "bytes_sent", "bytes_received")


class Told:
    """What Airflow was told."""

    def __init__(self, mocker: MockerFixture) -> None:
        self.counts: dict[str, int] = {}
        self.gauges: dict[str, tuple[float, Any]] = {}
        self.times: dict[str, list[timedelta]] = {}
        self.of_requests: dict[str, int] = {}
        mocker.patch.object(Stats, "incr", self._incr)
        mocker.patch.object(Stats, "gauge", self._gauge)
        mocker.patch.object(Stats, "timing", self._timing)

    def _incr(self, name: str, count: int = 1) -> None:
        if name.endswith(OF_REQUESTS):
            self.of_requests[name] = self.of_requests.get(name, 0) + count
            return
        self.counts[name] = self.counts.get(name, 0) + count

    def _timing(self, name: str, took: timedelta) -> None:
        self.times.setdefault(name, []).append(took)

    def _gauge(self, name: str, value: float, *, tags: dict[str, Any]) -> None:
        self.gauges[name] = (value, tags)


@pytest.fixture
def told(mocker: MockerFixture) -> Told:
    return Told(mocker)


@pytest.fixture
def wanted(client: InfluxClient, bucket_factory: Callable[[], str]) -> dict[str, Any]:
    source = bucket_factory()
    times = [int((START + timedelta(minutes=minute)).timestamp()) * 10**9 for minute in MINUTES]
    client.write_lines(source, [f"m,d=a temp=1,load=2 {time}" for time in times])
    return {
        "task_id": "rollup",
        "influx_conn_id": "tele",
        "source_bucket": source,
        "target_bucket": bucket_factory(),
        "ledger_bucket": bucket_factory(),
        "measurement": "m",
        "every": "1h",
        "aggregates": ["count"],
        "pipeline": "counted",
        "lateness": "30m",
        "start": START,
        "stop": START + timedelta(hours=3),
    }


@pytest.mark.parametrize("deferrable", [False, True])
def test_rollup_counts_windows_and_rows_and_tells_its_lag(
    wanted: dict[str, Any], told: Told, deferrable: bool
) -> None:
    operator, context = FluxRollupOperator(**wanted, deferrable=deferrable), make_context()
    if deferrable:
        with pytest.raises(TaskDeferred) as caught:
            operator.execute(context)
        operator.execute_complete(context, fire(reborn(caught.value.trigger)))
    else:
        operator.execute(context)
    assert told.counts == {
        "influx_rollup.rollup.success": 1,
        "influx_rollup.rollup.windows": 3,
        "influx_rollup.rollup.rows_in": 2 * len(MINUTES),
        "influx_rollup.rollup.rows_out": 2 * 2,
    }
    lag, tags = told.gauges["influx_rollup.rollup.lag"]
    assert lag == pytest.approx((datetime.now(UTC) - wanted["stop"]).total_seconds(), abs=60)
    assert tags == {"pipeline": "counted"}
    assert told.gauges["influx_rollup.rollup.pending"] == (0, tags)
    assert set(told.of_requests) == {f"influx_rollup.rollup.{name}" for name in OF_REQUESTS}
    assert all(count > 5 for count in told.of_requests.values())
    waited = told.times["influx_rollup.rollup.ready_to_success"][-1].total_seconds()
    # ready half an hour after its stop
    assert waited == pytest.approx(lag - 1800, abs=60)


def test_dry_run_counts_only_its_end(wanted: dict[str, Any], told: Told) -> None:
    FluxRollupOperator(**wanted, dry_run=True).execute(make_context())
    assert told.counts == {"influx_rollup.rollup.success": 1}
    assert told.gauges == {}


def test_reconcile_counts_what_was_wrong(client: InfluxClient, wanted: dict[str, Any], told: Told) -> None:
    FluxRollupOperator(**wanted).execute(make_context())
    late = int((START + timedelta(minutes=70)).timestamp()) * 10**9
    client.write_lines(wanted["source_bucket"], [f"m,d=a temp=1 {late}"])
    told.counts.clear()
    span = {name: wanted[name] for name in ("influx_conn_id", "ledger_bucket", "pipeline", "start", "stop")}
    FluxReconcileOperator(task_id="reconcile", **span).execute(make_context())
    assert told.counts == {
        "influx_rollup.reconcile.success": 1,
        "influx_rollup.reconcile.windows": 3,
        "influx_rollup.reconcile.dirty": 1,
    }


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("lost", [False, True])
def test_stage_ends_with_one_line_that_machines_read(
    wanted: dict[str, Any], mocker: MockerFixture, lost: bool
) -> None:
    if lost:
        wanted["target_bucket"] = "nowhere"
    operator = FluxRollupOperator(**wanted)
    said = mocker.patch.object(operator.log, "info")
    with pytest.raises(AirflowFailException) if lost else nullcontext():
        operator.execute(make_context())
    lines = [call.args[-1] for call in said.call_args_list if str(call.args[-1]).startswith("influx_rollup ")]
    (pairs,) = [dict(pair.split("=") for pair in line.split()[1:]) for line in lines]
    assert (pairs["stage"], pairs["outcome"]) == ("rollup", "failed" if lost else "success")
    assert float(pairs["seconds"]) > 0
    assert int(pairs["requests"]) > 1
    done = {name: pairs.get(name) for name in ("pipeline", "windows", "rows_in", "start")}
    expected = {"pipeline": "counted", "windows": "3", "rows_in": "12", "start": "2026-01-01T00:00:00Z"}
    assert done == (dict.fromkeys(expected) if lost else expected)


def require_missed(told: Told, good: str, bad: str) -> None:
    """Waits that end without a success count the windows, by poking and in the triggerer, and name them."""
    ends: list[tuple[str, dict[str, Any], list[str], dict[str, int]]] = [
        (good, {"stop": START + timedelta(hours=4)}, ["02:00", "03:00"], {"windows": 4, "runs": 2, "missed": 2}),
        (bad, {"stop": START + timedelta(hours=1)}, ["00:00"], {"windows": 1, "runs": 1, "errors": 1, "missed": 1}),
    ]  # fmt: skip
    for name, more, hours, counts in ends:
        values: dict[str, Any] = {
            "influx_conn_id": "tele",
            "start": START,
            "timeout": 0.2,
            "poke_interval": 0.1,
        }
        expected = {f"influx_rollup.task_wait.{key}": count for key, count in counts.items()}
        for settings, error in (({}, AirflowSensorTimeout), ({"soft_fail": True}, AirflowSkipException)):
            sensor = InfluxTaskRunSensor(task_id="wait", name=name, **values, **more, **settings)
            told.counts.clear()
            with pytest.raises(error) as ended:
                sensor.execute(make_context())
            assert told.counts == expected
            require_named(str(ended.value), hours)
            waits = InfluxTaskRunSensor(
                task_id="wait", name=name, deferrable=True, **values, **more, **settings
            )
            told.counts.clear()
            with pytest.raises(TaskDeferred) as deferred:
                waits.execute(make_context())
            assert told.counts == {}
            with pytest.raises(error) as ended:
                waits.execute_complete(make_context(), fire(reborn(deferred.value.trigger)))
            assert told.counts == expected
            require_named(str(ended.value), hours)


def require_named(message: str, hours: list[str]) -> None:
    assert re.findall(r"\[2026-01-01T(\d\d:\d\d):00Z, ", message.partition("Without a success: ")[2]) == hours


def test_runs_of_tasks_of_influxdb_are_counted(client: InfluxClient, told: Told) -> None:
    hours: dict[str, Any] = {"influx_conn_id": "tele", "start": START, "stop": START + timedelta(hours=2)}
    with named_task(client) as good, named_task(client) as bad:
        for name, body in (
            (good, "limit(n: 1)"),
            (bad, 'map(fn: (r) => die(msg: "planned"))'),
        ):
            option = f'option task = {{name: "{name}", every: 1h}}'
            flux = f'import "array"\n{option}\narray.from(rows: [{{x: 1}}]) |> {body}'
            client.tasks.create(flux, "active", "")
        result = InfluxTaskRunOperator(task_id="run", name=good, **hours).execute(make_context())
        assert told.counts == {"influx_rollup.task_run.success": 1, "influx_rollup.task_run.windows": 2}
        took = told.times["influx_rollup.task_run.run_duration"]
        assert [one.total_seconds() for one in took] == result["run_seconds"]
        assert len(took) == 2
        with pytest.raises((InfluxRollupError, AirflowFailException)):
            InfluxTaskRunOperator(task_id="run", name=bad, **hours).execute(make_context())

        told.counts.clear()
        assert InfluxTaskRunSensor(task_id="wait", name=good, **hours).poke(make_context())
        assert told.counts == {"influx_rollup.task_wait.windows": 2, "influx_rollup.task_wait.runs": 2}
        require_missed(told, good, bad)

        told.counts.clear()
        both = InfluxTaskHistoryOperator(task_id="history", name=[good, bad], **hours)
        result = both.execute(make_context())
        assert told.counts == {
            "influx_rollup.task_history.success": 1,
            "influx_rollup.task_history.runs": 3,
            "influx_rollup.task_history.errors": 1,
        }
        assert len(told.times["influx_rollup.task_history.run_duration"]) == 3
        assert [(one["task"], one["runs"], one["errors"]) for one in result["tasks"]] == [
            (good, 2, 0),
            (bad, 1, 1),
        ]
        failing = InfluxTaskHistoryOperator(task_id="history", name=bad, on_trouble="fail", **hours)
        with pytest.raises(AirflowFailException, match=f"task '{bad}': 1 of 1 runs failed.*map: "):
            failing.execute(make_context())
