"""A rollup that InfluxDB computes, as an Airflow task: in the triggerer, in a worker, killed, refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowException, TaskDeferred
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.fleet import MEASUREMENT, TAGS, make_fleet, small_plan
from dev.influx_http import InfluxAddress
from tests import oracle
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2025, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFUSED: dict[str, Any] = {
    "task_id": "rollup",
    "source_bucket": "raw",
    "target_bucket": "rolled",
    "measurement": "m",
    "every": "1h",
    "aggregates": ["count"],
    "execution": "native",
}


@pytest.fixture
def wanted(client: InfluxClient, bucket_factory: Callable[[], str]) -> dict[str, Any]:
    source, target, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    first = int(START.timestamp())
    client.write_lines(source, [f"m,s=a x={n}.5 {(first + 60 * n) * 10**9}" for n in range(120)])
    return {
        **REFUSED,
        "source_bucket": source,
        "target_bucket": target,
        "ledger_bucket": ledger,
        "aggregates": ["count", "mean"],
        "pipeline": f"native {target}",
        "influx_conn_id": "tele",
        "start": START,
        "stop": START + 2 * HOUR,
    }


def rows_of(client: InfluxClient, bucket: str) -> dict[tuple[str, datetime], Any]:
    rows = client.query(f'from(bucket: "{bucket}") |> range(start: 0)')
    return {(row["_field"], row["_time"]): row["_value"] for row in rows}


RIGHT = {
    ("x_count", START): 60,
    ("x_count", START + HOUR): 60,
    ("x_mean", START): 30.0,
    ("x_mean", START + HOUR): 90.0,
}


def tasks_of(client: InfluxClient, wanted: dict[str, Any]) -> list[Any]:
    return client.tasks.find(f"influx-rollup computes {wanted['pipeline']}")


def test_the_triggerer_waits_and_another_one_may_begin_again(
    client: InfluxClient, wanted: dict[str, Any]
) -> None:
    operator = FluxRollupOperator(**wanted)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context())
    trigger = reborn(deferred.value.trigger)
    assert trigger.spec["options"]["execution"] == "native"
    event = fire(trigger)
    result = FluxRollupOperator(**wanted).execute_complete(make_context(), event)
    assert (result["state"], result["windows"], result["rows_in"]) == ("COMMITTED", 2, 120)
    assert rows_of(client, wanted["target_bucket"]) == RIGHT
    # the same try, in a triggerer that does not know that it has ended
    assert fire(reborn(trigger))["status"] == "success"
    assert tasks_of(client, wanted) == []


def test_a_worker_waits_where_there_is_no_triggerer(client: InfluxClient, wanted: dict[str, Any]) -> None:
    said: list[str] = []
    operator = FluxRollupOperator(**wanted, deferrable=False)
    operator._report = lambda report: said.append(report.message)  # type: ignore[method-assign]
    result = operator.execute(make_context())
    assert isinstance(result, dict)
    assert result["state"] == "COMMITTED"
    assert rows_of(client, wanted["target_bucket"]) == RIGHT
    assert any("InfluxDB computes it" in line for line in said)


def test_a_list_of_measurements_waits_in_a_worker_only(client: InfluxClient, wanted: dict[str, Any]) -> None:
    both = {**wanted, "measurement": ["m", "other"]}
    with pytest.raises(ConfigurationError, match="expand"):
        FluxRollupOperator(**both)
    results = FluxRollupOperator(**both, deferrable=False).execute(make_context())
    assert [one["rows_in"] for one in results] == [120, 0]


def test_a_kill_removes_the_task_of_influxdb(client: InfluxClient, wanted: dict[str, Any]) -> None:
    operator = FluxRollupOperator(**wanted, deferrable=False)
    seen: list[int] = []

    def kill(report: Any) -> None:
        if "InfluxDB computes it" in report.message and not seen:
            seen.append(len(tasks_of(client, wanted)))
            # as Airflow does, in the middle of whatever the task does
            operator.on_kill()

    operator._report = kill  # type: ignore[method-assign]
    with pytest.raises(AirflowException, match="was killed"):
        operator.execute(make_context())
    assert seen == [1]
    assert tasks_of(client, wanted) == []
    again = FluxRollupOperator(**wanted, deferrable=False).execute(make_context())
    assert isinstance(again, dict)
    assert again["state"] == "COMMITTED"
    assert rows_of(client, wanted["target_bucket"]) == RIGHT
    assert tasks_of(client, wanted) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"aggregates": ["p99"]}, 'p99 of raw points are computed in a worker.*compute="server"'),
        ({"group_by": ["site"]}, "group_by"),
        ({"period": "3h"}, "period"),
        ({"source_tier": "auto"}, "source_tier"),
        ({"execution": "task"}, "execution='task'"),
        ({"measurement": ["a", "b"]}, "expand"),
    ],
)
def test_a_dag_is_refused_when_a_worker_would_have_to_compute(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        FluxRollupOperator(**{**REFUSED, **given})


def test_a_script_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="flux and execution"):
        FluxRollupOperator(task_id="t", target_bucket="b", flux="from()", execution="native")


@pytest.mark.parametrize(
    ("given", "defers"),
    [
        ({}, True),
        ({"deferrable": False}, False),
        ({"deferrable": True}, True),
        ({"execution": "query"}, False),
    ],
)
def test_a_native_rollup_defers_unless_it_must_not(given: dict[str, Any], *, defers: bool) -> None:
    assert FluxRollupOperator(**{**REFUSED, **given}).deferrable is defers


ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
NUMBERS = ("temperature", "humidity")
#: of each example: its targets, their windows and aggregates
EXAMPLES = {
    "native_rollup": {
        "rollup_daily": ("1d", {"temperature": ["count", "mean", "max"], "humidity": ["count", "mean"]})
    },
    "native_lifecycle": {
        "native_1h": ("1h", {key: ["count", "sum", "min", "max"] for key in NUMBERS}),
        "native_1d": ("1d", {key: ["count", "sum", "mean", "min", "max"] for key in NUMBERS}),
    },
}


@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_an_example_is_computed_by_influxdb_while_its_task_is_deferred(
    real_airflow: AirflowProcess, new_organisation: Callable[[], InfluxAddress], dag_id: str
) -> None:
    place = new_organisation()
    fleet = make_fleet(small_plan())
    with place.buckets_made_meanwhile_deleted():
        place.fresh_buckets("raw_telemetry", *EXAMPLES[dag_id], "native_1w")
        for _ in place.write("raw_telemetry", (line for wave in fleet.waves() for line in wave)):
            pass
        connection = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}
        told = run_dag(real_airflow, dag_id, "2025-03-09T00:00:00+00:00", environment=connection)
        assert "InfluxDB computes it" in told
        states = dict(
            real_airflow.rows("select task_id, state from task_instance where dag_id = ?", (dag_id,))
        )
        # no week ends with the day
        assert states.pop("telemetry.rollup_1w", "skipped") == "skipped"
        assert set(states.values()) == {"success"}
        for bucket, (every, rules) in EXAMPLES[dag_id].items():
            expected = oracle.rollup(
                fleet.points, TAGS, oracle.windows("2025-03-08", "2025-03-09", every), rules
            )
            found = oracle.read_target(place.url, place.org, place.token, bucket, MEASUREMENT, *ALWAYS)
            assert len(expected)
            assert oracle.compare(found, expected) == []
