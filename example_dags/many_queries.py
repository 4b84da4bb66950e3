"""Many questions in one task: two scripts, for each site and each hour of the day, three at a time.

The task waits in the triggerer. When some questions fail, the answers to the others are kept all the same, and the task
after it reads them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.query_batch import FluxQueryBatchOperator

SITES = ["berlin", "nairobi"]

with DAG(
    "many_queries",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
) as dag:
    ask = FluxQueryBatchOperator(
        task_id="ask",
        flux={"points": "flux/points_of_site.flux", "hottest": "flux/hottest_of_site.flux"},
        params_each=[{"site": site} for site in SITES],
        every="1h",
        max_parallel=3,
        deferrable=True,
    )

    @task(trigger_rule="all_done")
    def hours_without_points(batch: dict[str, Any]) -> list[str]:
        """The site and the hour of each answer without a row."""
        return [
            f"{answer['query'].removeprefix('points/site=')} {answer['window']['start']}"
            for answer in batch["answers"]
            if answer["query"].startswith("points/") and not answer["rows"]
        ]

    hours_without_points(ask.output)
