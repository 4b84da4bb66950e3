"""Hours that start other DAGs: each run tells which windows it has changed, and a reconcile which ones it has repaired.

Needs the buckets ``raw_telemetry`` and ``telemetry_1h``. The DAG ``daily_of_assets`` waits for its asset. From Airflow 3.3 on
an event is about a whole day of the zone, once all of its 23, 24 or 25 hours are there; before, about the hours that changed.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.airflow_compat import has_partitions
from airflow_provider_influx_rollup.assets.uri import measurement_asset
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

partitions = "1d" if has_partitions() else False
schedule = CronDataIntervalTimetable("0 * * * *", timezone="Europe/Berlin")
with DAG("hourly_assets", schedule=schedule, start_date=datetime(2025, 1, 1, tzinfo=UTC), catchup=False):
    rollup = FluxRollupOperator(
        task_id="rollup_1h",
        source_bucket="raw_telemetry",
        target_bucket="telemetry_1h",
        measurement="sensor_readings",
        fields=["temperature", "humidity"],
        aggregates=["count", "sum", "min", "max"],
        every="1h",
        timezone="Europe/Berlin",
        pipeline="telemetry_1h",
        outlets="auto",
        partitions=partitions,
    )
    # a late point changes an hour of the last three days: its day is told again, and no other
    late = FluxReconcileOperator(
        task_id="late_points",
        pipeline="telemetry_1h",
        start="{{ dag_run.conf.get('start') or (data_interval_end - macros.timedelta(days=3)).isoformat() }}",
        stop="{{ dag_run.conf.get('stop') or data_interval_end.isoformat() }}",
        outlets=["auto", measurement_asset("telemetry_1h", "sensor_readings")],
        partitions=partitions,
        max_active_tis_per_dag=1,
    )
    rollup >> late
