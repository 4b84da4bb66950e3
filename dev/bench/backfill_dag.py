"""What the benchmark of backfills runs: a task that does nothing, the same Flux sent raw, and a rollup of each day's hours."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

SCRIPTS = os.environ.get("BENCH_SCRIPTS")


def send_raw(data_interval_start: datetime) -> float:
    """Send the day's Flux, and say how many seconds InfluxDB took."""
    script = Path(SCRIPTS or "", f"{data_interval_start:%Y-%m-%d}.flux").read_text()
    client = InfluxRollupHook().get_conn()
    began = time.perf_counter()
    client.execute(script)
    return time.perf_counter() - began


DAILY = CronDataIntervalTimetable("@daily", timezone="UTC")

with DAG("bench_backfill", schedule=DAILY, start_date=datetime(2025, 1, 1, tzinfo=UTC), catchup=False):
    nothing = PythonOperator(task_id="nothing", python_callable=lambda: None)
    rollup = FluxRollupOperator(
        task_id="rollup",
        source_bucket="bench_backfill",
        target_bucket="bench_backfill_hourly",
        measurement="telemetry",
        every="1h",
        aggregates=["count", "sum", "min", "max"],
        pipeline="bench_backfill",
        ledger_bucket="bench_backfill_ledger",
    )
    if SCRIPTS:
        raw = PythonOperator(task_id="raw", python_callable=send_raw)
        _ = nothing >> raw >> rollup
    else:
        _ = nothing >> rollup
