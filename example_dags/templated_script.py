"""A Flux template: one script for several environments, in which no value can change the query.

``{{ x | flux }}`` makes a literal of a value, whatever it holds; ``params.least`` is bound beside the script, with its
type. Which environment this is says the variable ``telemetry_environment``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.templates.param import FluxParam

with DAG(
    "templated_script",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    params={"least": Param(None, type=["null", "number"])},
) as dag:
    FluxRollupOperator(
        task_id="site_means",
        flux="flux/site_means.flux",
        params_flux={"least": FluxParam("float", "{{ params.least }}", default=-273.15)},
        environments="flux/environments.yaml",
        environment="{{ var.value.get('telemetry_environment', 'dev') }}",
        target_bucket="{{ env.rollups }}",
    )
