"""Local days: the temperatures of each calendar day in Los Angeles, also of the days with 23 and 25 hours.

The data interval is the local day, and so is the window. Its row has the day's start as its time, in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

TIMEZONE = "America/Los_Angeles"

with DAG(
    "local_days",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone=TIMEZONE),
    start_date=datetime(2010, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
) as dag:
    FluxRollupOperator(
        task_id="rollup_1d",
        source_bucket="raw_weather",
        target_bucket="weather_daily",
        measurement="temperature",
        every="1d",
        timezone=TIMEZONE,
        aggregates=["count", "mean", "min", "max", "median", "p99", "integral"],
    )
