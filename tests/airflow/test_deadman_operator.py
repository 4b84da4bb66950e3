"""The deadman operator as a task sees it, on a real InfluxDB."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger
from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
STOP = START + timedelta(hours=1)
NS = 10**9


@pytest.fixture
def buckets(client: InfluxClient, bucket_factory: Callable[[], str]) -> tuple[str, str]:
    """A bucket in which d1 is alive and d2 stopped, and a bucket for statuses."""
    bucket, status_bucket = bucket_factory(), bucket_factory()
    alive, silent = int(START.timestamp()) * NS, int(START.timestamp() - 60) * NS
    client.write_lines(bucket, [f"fleet,device=d1 temp=1 {alive}", f"fleet,device=d2 temp=1 {silent}"])
    return bucket, status_bucket


def make_operator(buckets: tuple[str, str], **kwargs: Any) -> DeadmanCheckOperator:
    settings = {"start": START, "stop": STOP, "influx_conn_id": "tele", "group_by": ["device"]} | kwargs
    bucket, status_bucket = buckets
    return DeadmanCheckOperator(
        task_id="deadman", bucket=bucket, measurement="fleet", status_bucket=status_bucket, **settings
    )


def test_findings_are_small_json_when_a_series_is_dead(buckets: tuple[str, str]) -> None:
    result = make_operator(buckets).execute(make_context())
    assert json.loads(json.dumps(result)) == result
    assert result["state"] == "dead"
    assert result["dead"] == [
        {"series": {"device": "d2"}, "state": "stopped", "last_seen": "2024-05-06T09:59:00Z"}
    ]
    assert (result["expected"], result["alive"], result["statuses_written"]) == (2, 1, 2)


def test_data_interval_is_evaluated_when_no_bounds_are_given(buckets: tuple[str, str]) -> None:
    operator = make_operator(buckets, start=None, stop=None)
    result = operator.execute(make_context(data_interval_start=START, data_interval_end=STOP))
    assert result["window"] == {"start": "2024-05-06T10:00:00Z", "stop": "2024-05-06T11:00:00Z"}
    assert result["dead_count"] == 1


@pytest.mark.parametrize(
    ("on_dead", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException)]
)
def test_task_fails_or_skips_and_keeps_its_findings_when_asked_to(
    buckets: tuple[str, str], on_dead: str, error: type[Exception]
) -> None:
    context = make_context()
    with pytest.raises(
        error, match=r"1 of 2 series .* are dead at 2024-05-06T11:00:00Z: device=d2 \(stopped"
    ):
        make_operator(buckets, on_dead=on_dead).execute(context)
    assert context["ti"].pushed["return_value"]["dead_count"] == 1


@pytest.mark.parametrize("on_dead", ["fail", "skip"])
def test_task_succeeds_when_nothing_is_dead(buckets: tuple[str, str], on_dead: str) -> None:
    operator = make_operator(buckets, on_dead=on_dead, expected_series=[{"device": "d1"}])
    assert operator.execute(make_context())["state"] == "ok"


def test_silence_can_be_called_every(buckets: tuple[str, str]) -> None:
    assert make_operator(buckets, every="2h").execute(make_context())["state"] == "ok"
    assert make_operator(buckets, every="30m", silence="2h").execute(make_context())["state"] == "ok"


def test_task_fails_for_good_when_the_token_is_wrong(buckets: tuple[str, str]) -> None:
    with pytest.raises(AirflowFailException) as caught:
        make_operator(buckets, influx_conn_id="wrong").execute(make_context())
    assert "InfluxUnauthorized" in str(caught.value)
    assert "wrong-token" not in str(caught.value)


def test_task_fails_for_good_when_a_parameter_is_impossible(buckets: tuple[str, str]) -> None:
    with pytest.raises(AirflowFailException, match=r"ConfigurationError.*level"):
        make_operator(buckets, level="fatal").execute(make_context())


@pytest.mark.parametrize("settings", [{"on_dead": "explode"}, {"on_dead": "branch"}])
def test_operator_is_refused_when_on_dead_makes_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="on_dead"):
        make_operator(("a", "b"), **settings)


def test_result_is_the_same_when_it_runs_in_the_triggerer(buckets: tuple[str, str]) -> None:
    direct = make_operator(buckets).execute(make_context())
    operator = make_operator(buckets, deferrable=True, on_dead="fail")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context())
    assert isinstance(deferred.value.trigger, LifecycleJobTrigger)
    event = fire(reborn(deferred.value.trigger))
    context = make_context()
    with pytest.raises(AirflowFailException, match="device=d2"):
        operator.execute_complete(context, event)
    assert context["ti"].pushed["return_value"] == direct


@pytest.mark.parametrize("deferrable", [False, True])
def test_another_task_is_told_of_when_it_checks_under_the_same_name(
    buckets: tuple[str, str], *, deferrable: bool
) -> None:
    def check(task_id: str, silence: str, *, deferrable: bool) -> dict[str, Any]:
        context = make_context()
        context["ti"].task_id = task_id
        operator = make_operator(buckets, silence=silence, deferrable=deferrable)
        if not deferrable:
            return operator.execute(context)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(context)
        return operator.execute_complete(context, fire(reborn(deferred.value.trigger)))

    assert "statuses_note" not in check("early", "1h", deferrable=deferrable)
    assert "check_name" in check("late", "6h", deferrable=deferrable)["statuses_note"]
    # its own alarm is no new one
    assert check("early", "1h", deferrable=not deferrable)["dead_count"] == 1


@pytest.mark.timeout(300)
def test_dag_branches_and_skips_when_a_series_is_dead(
    new_organisation: Callable[[], InfluxAddress], real_airflow: AirflowProcess
) -> None:
    place = new_organisation()
    place.fresh_buckets("raw", "statuses")
    alive, silent = int(START.timestamp()) * NS, int(START.timestamp() - 60) * NS
    for _ in place.write(
        "raw", iter([f"fleet,device=d1 temp=1 {alive}", f"fleet,device=d2 temp=1 {silent}"])
    ):
        pass
    make_ready(real_airflow, "watched")
    connection = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}
    run_dag(real_airflow, "watched", STOP.isoformat(), environment=connection)
    rows = real_airflow.rows("select task_id, state from task_instance where dag_id = ?", ("watched",))
    assert dict(rows) == {
        "wait": "success",
        "branch": "success",
        "alarm": "success",
        "calm": "skipped",
        "skip": "skipped",
        "after_skip": "skipped",
        "ask": "success",
        "there": "success",
        "not_there": "skipped",
        "is_d9_there": "success",
        "after_d9": "skipped",
    }
    returned = "select task_id from xcom where dag_id = ? and key = 'return_value'"
    keys = real_airflow.rows(returned, ("watched",))
    assert {"wait", "branch", "skip", "ask", "is_d9_there"} <= {task for (task,) in keys}
