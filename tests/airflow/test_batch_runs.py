"""Real runs of tasks with many questions: each answer is what pandas says, and stays when another fails."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import ProcessFailed

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(300)]

DAG_ID = "many_queries"
SITES = ("berlin", "nairobi")


def returned(airflow: AirflowProcess, task_id: str, dag_id: str = DAG_ID) -> Any:
    """What a task has returned, as Airflow's database has it: JSON, of which 3.x makes a text once more."""
    query = "select value from xcom where dag_id = ? and task_id = ? and key = 'return_value'"
    ((value,),) = airflow.rows(query, (dag_id, task_id))
    found = json.loads(value)
    return json.loads(found) if isinstance(found, str) else found


def test_answers_are_what_pandas_says_of_each_site_and_hour(
    real_airflow: AirflowProcess, new_organisation: Callable[[], InfluxAddress]
) -> None:
    times = pd.date_range("2025-03-08", "2025-03-09", freq="11min", inclusive="left", tz="UTC")
    points = pd.DataFrame({"at": times, "site": [SITES[number % 2] for number in range(len(times))]})
    points["temperature"] = [float(number * 37 % 101) for number in range(len(times))]
    # hours without a point of one site, and one without any
    points = points[(points["site"] != "berlin") | (points["at"].dt.hour > 2)]
    points = points[points["at"].dt.hour != 14]
    place = new_organisation()
    with place.buckets_made_meanwhile_deleted():
        place.fresh_buckets("raw_telemetry")
        rows = points.itertuples(index=False)
        lines = (
            f"sensor_readings,site={row.site} temperature={row.temperature} {row.at.as_unit('ns').value}"
            for row in rows
        )
        for _ in place.write("raw_telemetry", lines):
            pass
        environment = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}
        run_dag(real_airflow, DAG_ID, "2025-03-09T00:00:00+00:00", environment=environment)
    states = real_airflow.rows("select state from task_instance where dag_id = ?", (DAG_ID,))
    assert states == [("success",), ("success",)]
    wanted, empty = {}, []
    for site in SITES:
        for hour in pd.date_range("2025-03-08", "2025-03-09", freq="1h", inclusive="left", tz="UTC"):
            is_inside = (points["at"] >= hour) & (points["at"] < hour + pd.Timedelta("1h"))
            values = points.loc[is_inside & (points["site"] == site), "temperature"]
            wanted["points", site, hour] = [len(values)] if len(values) else []
            wanted["hottest", site, hour] = [values.max()] if len(values) else []
            empty += [] if len(values) else [f"{site} {hour:%Y-%m-%dT%H:%M:%SZ}"]
    found = {}
    for answer in returned(real_airflow, "ask")["answers"]:
        script, _, site = answer["query"].partition("/site=")
        values = [row["_value"] for row in answer["first_rows"]]
        found[script, site, pd.Timestamp(answer["window"]["start"])] = values
    assert found == wanted
    assert len(empty) == 5
    assert returned(real_airflow, "hours_without_points") == empty


def test_answers_of_a_failed_task_are_read_by_the_task_after_it(
    real_airflow: AirflowProcess, new_organisation: Callable[[], InfluxAddress]
) -> None:
    place = new_organisation()
    with place.buckets_made_meanwhile_deleted():
        place.fresh_buckets("raw_telemetry")
        hours = [
            pd.Timestamp("2025-03-08T01:00Z"),
            pd.Timestamp("2025-03-08T02:00Z"),
            pd.Timestamp("2025-03-08T13:00Z"),
        ]
        for _ in place.write("raw_telemetry", (f"m v=1 {hour.as_unit('ns').value}" for hour in hours)):
            pass
        environment = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}
        make_ready(real_airflow, "partial_batch")
        with contextlib.suppress(ProcessFailed):
            # 3.x: the run succeeds, as its last task does; what counts are the tasks
            run_dag(
                real_airflow,
                "partial_batch",
                "2025-03-09T00:00:00+00:00",
                environment=environment,
                retries=0,
            )
    states = dict(
        real_airflow.rows("select task_id, state from task_instance where dag_id = 'partial_batch'")
    )
    assert states == {"ask": "failed", "kept": "success"}
    assert returned(real_airflow, "kept", "partial_batch") == {
        "2025-03-08T00:00:00Z": 2,
        "2025-03-08T12:00:00Z": 1,
    }
    failures = returned(real_airflow, "ask", "partial_batch")["failures"]
    assert [(one["query"], one["error"]) for one in failures] == [("gone", "BucketNotFound")] * 2
