"""A sensor, branches and skips over the series of one bucket."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.branch import FluxBranchOperator
from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor

with DAG(
    "watched",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2024, 5, 6, tzinfo=UTC),
    catchup=False,
):
    common = {"bucket": "raw", "measurement": "fleet"}
    wait = WindowCompleteSensor(task_id="wait", expected_series=1, deferrable=True, **common)
    statuses = {"group_by": ["device"], "status_bucket": "statuses"}
    branch = DeadmanCheckOperator(
        task_id="branch",
        on_dead="branch",
        follow_task_ids_if_dead="alarm",
        follow_task_ids_if_alive="calm",
        deferrable=True,
        **common,
        **statuses,
    )
    skip = DeadmanCheckOperator(task_id="skip", on_dead="skip", **common, **statuses)
    wait >> [branch, skip]
    branch >> [EmptyOperator(task_id="alarm"), EmptyOperator(task_id="calm")]
    skip >> EmptyOperator(task_id="after_skip")

    ANY_POINT_OF = """
from(bucket: "raw")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r.device == params.device)
  |> keep(columns: ["_time"])
"""
    ask = FluxBranchOperator(
        task_id="ask",
        flux=ANY_POINT_OF,
        params_flux={"device": "d1"},
        follow_task_ids_if_true="there",
        follow_task_ids_if_false="not_there",
    )
    ask >> [EmptyOperator(task_id="there"), EmptyOperator(task_id="not_there")]

    @task.flux_short_circuit
    def is_d9_there() -> tuple[str, dict[str, str]]:
        return ANY_POINT_OF, {"device": "d9"}

    is_d9_there() >> EmptyOperator(task_id="after_d9")
