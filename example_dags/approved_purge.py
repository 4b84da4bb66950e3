"""Nothing is deleted before somebody has seen how much: a dry run of the purge, a question to people, the purge itself.

Airflow asks since 3.1, in its own page "Required Actions" and by its API. Whoever says "Reject", or nobody for two days, leaves
the points where they are; the next run asks again. An erasure can wait for people in the same way. On 2.11 there is no such DAG.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator

PURGE: dict[str, Any] = {
    "bucket": "raw_telemetry",
    "measurement": "sensor_readings",
    "path": "{{ var.value.get('telemetry_archive', '/tmp/telemetry_archive') }}",
    "every": "1d",
    "require_pipelines": ["readings_1h"],
    "min_age": "30d",
    "quiet_for": "{{ var.value.get('telemetry_quiet_for', '1d') }}",
    "delay": "30d",
}
FOUND = "{% set found = ti.xcom_pull(task_ids='look') %}"
BODY = (
    FOUND
    + "The archive holds them, and the tiers are COMMITTED: **{{ found.rows_in }} points** of {{ found.series }} "
    "series in {{ found.windows }} windows{% if found.window %} from {{ found.window.start }} to {{ found.window.stop }}"
    "{% endif %}.\n\n"
    "{% for one in found.refused %}- not {{ one.window.start }}: {{ one.why }}\n{% endfor %}"
)

if find_spec("airflow.sdk") is not None:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    with DAG(
        "approved_purge",
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        catchup=False,
    ):
        look = PurgeWindowOperator(task_id="look", dry_run=True, **PURGE)
        approve = ApprovalOperator(
            task_id="approve",
            subject=FOUND + "Delete {{ found.rows_in }} points of raw_telemetry?",
            body=BODY,
            defaults=["Reject"],
            response_timeout=timedelta(days=2),
        )
        look >> approve >> PurgeWindowOperator(task_id="purge", **PURGE)
