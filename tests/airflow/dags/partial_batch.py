"""A batch of which one query fails, and a task after it that reads the answers of the others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.query_batch import FluxQueryBatchOperator

COUNT = 'from(bucket: "{}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop) |> group() |> count()'

with DAG(
    "partial_batch",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
):
    ask = FluxQueryBatchOperator(
        task_id="ask",
        flux={"here": COUNT.format("raw_telemetry"), "gone": COUNT.format("nowhere")},
        every="12h",
        deferrable=True,
    )

    @task(trigger_rule="all_done")
    def kept(batch: dict[str, Any]) -> dict[str, int]:
        """The count of each window that was answered."""
        return {answer["window"]["start"]: answer["first_rows"][0]["_value"] for answer in batch["answers"]}

    kept(ask.output)
