"""Erase a customer's series everywhere, when somebody asks for it: bucket, rollups, archive; with a certificate.

Trigger it with the customer, which is the tag ``site`` here, and with the bucket's name again as ``confirm``. The first task
counts what there is, and changes nothing; its log shows it place by place.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_influx_rollup.operators.erase import EraseSeriesOperator

WHAT = {
    "bucket": "raw_telemetry",
    "measurement": "sensor_readings",
    "tags": {"site": "{{ params.customer }}"},
    "path": "{{ var.value.get('telemetry_archive', '/tmp/telemetry_archive') }}",
    "require_archive": "{{ params.require_archive }}",
}

with DAG(
    "erase_customer",
    schedule=None,
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "customer": Param(
            "", type="string", description="whose series go: the value of the tag site, exactly"
        ),
        "confirm": Param("", type="string", description="the bucket's name again"),
        "require_archive": Param(True, type="boolean", description="refuse when nothing was ever archived"),
    },
):
    look = EraseSeriesOperator(task_id="look", dry_run=True, **WHAT)
    erase = EraseSeriesOperator(task_id="erase", confirm="{{ params.confirm }}", retries=3, **WHAT)
    look >> erase
