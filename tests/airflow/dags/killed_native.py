"""Days that InfluxDB computes, for a test that kills whoever waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

for waits_in in ("worker", "triggerer"):
    with DAG(
        f"killed_{waits_in}",
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        # no run of yesterday: whoever asks for something would be killed, and the day's run go on beside it
        end_date=datetime(2025, 6, 1, tzinfo=UTC),
        catchup=False,
    ) as dag:
        FluxRollupOperator(
            task_id="rollup",
            influx_conn_id="watched",
            source_bucket="raw",
            target_bucket=f"killed_{waits_in}",
            measurement="m",
            every="1h",
            aggregates=["count", "sum", "max"],
            pipeline=f"killed in the {waits_in}",
            execution="native",
            deferrable=waits_in == "triggerer",
            retries=20,
            retry_delay=timedelta(seconds=0),
        )
    globals()[dag.dag_id] = dag
