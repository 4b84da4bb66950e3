"""Mapped tasks, one of which is given tags that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.query import FluxQueryOperator

with DAG(
    "wrong_mapped",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
):

    @task
    def values() -> list[Any]:
        """Of which the second is no dict."""
        return [{"site": "a"}, 5]

    FluxQueryOperator.partial(
        task_id="ask", flux="buckets()", retries=2, retry_delay=timedelta(seconds=1)
    ).expand(params_flux=values())
