"""A task that InfluxDB runs by its own clock, kept in order by Airflow.

Its script is a file: looked at first, then deployed, which changes nothing the second time and never what somebody has changed in
InfluxDB. A backfill of this DAG has InfluxDB run the hours that the task has missed. The last task says how its runs of the
interval went, and fails when one has failed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.buckets import Bucket, EnsureBucketsOperator
from airflow_provider_influx_rollup.operators.lint import FluxLintOperator
from airflow_provider_influx_rollup.operators.task_deploy import InfluxTaskDeployOperator
from airflow_provider_influx_rollup.operators.task_history import InfluxTaskHistoryOperator
from airflow_provider_influx_rollup.operators.task_run import InfluxTaskRunOperator
from airflow_provider_influx_rollup.sensors.task_run import InfluxTaskRunSensor

SCRIPT = "flux/hourly_mean.flux"
NAME = "iot_device_rollup_1h"

with DAG(
    "native_task",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:
    buckets = EnsureBucketsOperator(
        task_id="buckets", buckets=[Bucket("rollup_hourly", description="made by a task of InfluxDB")]
    ).as_setup()
    lint = FluxLintOperator(task_id="lint", flux=SCRIPT)
    deploy = InfluxTaskDeployOperator(task_id="deploy", flux=SCRIPT, pipeline="hourly_mean")
    run = InfluxTaskRunOperator(task_id="run", name=NAME, deferrable=True)
    wait = InfluxTaskRunSensor(task_id="wait", name=NAME, deferrable=True, poke_interval=10, timeout=3600)
    history = InfluxTaskHistoryOperator(task_id="history", name=NAME, on_trouble="fail")

    buckets >> lint >> deploy >> run >> wait >> history
