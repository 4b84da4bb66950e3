"""The two DAGs of the demo."""

from __future__ import annotations

import json
import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.deadman import DeadmanCheckOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.sensors.window import WindowCompleteSensor
from dev.demo import setting

TIMEZONE = "America/Los_Angeles"


def instant(name: str) -> datetime:
    """Time in a variable that the demo sets."""
    return datetime.fromisoformat(os.environ[name])


expected = json.loads(os.environ["DEMO_EXPECTED"])

with DAG(
    setting.FLEET_DAG,
    schedule=CronDataIntervalTimetable(f"0 */{setting.HOURS_PER_RUN} * * *", timezone="UTC"),
    start_date=instant("DEMO_FLEET_FIRST"),
    # its own schedule has nothing left to do: what runs is the backfill
    end_date=instant("DEMO_FLEET_LAST"),
    catchup=False,
    max_active_runs=3,
    is_paused_upon_creation=False,
) as fleet:
    complete = WindowCompleteSensor(
        task_id="raw_is_complete",
        bucket=setting.RAW,
        measurement="sensor_readings",
        every="1h",
        lateness="10m",
        # the silent device must not hold up the others forever
        expected_series=len(expected) // 2,
        poke_interval=10,
        timeout=120,
    )
    shared = {"source_bucket": setting.RAW, "measurement": "sensor_readings", "ledger_bucket": setting.LEDGER}
    ten_minutes = FluxRollupOperator(
        task_id="rollup_10m",
        target_bucket=setting.TEN_MINUTES,
        pipeline=setting.PIPELINES[setting.TEN_MINUTES],
        every="10m",
        aggregates=setting.TEN_MINUTE_AGGREGATES,
        **shared,
    )
    hourly = FluxRollupOperator(
        task_id="rollup_1h",
        target_bucket=setting.HOURLY,
        pipeline=setting.PIPELINES[setting.HOURLY],
        every="1h",
        aggregates=setting.HOURLY_AGGREGATES,
        **shared,
    )
    silent = DeadmanCheckOperator(
        task_id="silent_devices",
        bucket=setting.RAW,
        measurement="sensor_readings",
        group_by=["device_id"],
        silence="1h",
        expected_series=expected,
        check_name="demo: silent devices",
    )
    complete >> [ten_minutes, hourly] >> silent

with DAG(
    setting.WEATHER_DAG,
    # one run per local month, one window per local day
    schedule=CronDataIntervalTimetable("0 0 1 * *", timezone=TIMEZONE),
    start_date=instant("DEMO_WEATHER_FIRST"),
    end_date=instant("DEMO_WEATHER_LAST"),
    catchup=False,
    max_active_runs=3,
    is_paused_upon_creation=False,
) as weather:
    FluxRollupOperator(
        task_id="rollup_1d",
        source_bucket=setting.WEATHER,
        target_bucket=setting.WEATHER_DAILY,
        measurement="temperature",
        pipeline=setting.PIPELINES[setting.WEATHER_DAILY],
        ledger_bucket=setting.LEDGER,
        every="1d",
        timezone=TIMEZONE,
        aggregates=setting.DAILY_AGGREGATES,
    )
