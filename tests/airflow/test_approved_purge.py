"""The example that asks people before a purge, run by Airflow on a real InfluxDB; and the pools beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(300)]

POOLS = Path(__file__).resolve().parents[2] / "example_dags/pools.json"
DAY = ("2025-03-08T00:00:00Z", "2025-03-09T00:00:00Z")


def count(place: InfluxAddress) -> int:
    return oracle.count_points(place.url, place.org, place.token, "raw_telemetry", *DAY)


def test_archived_day_is_purged_when_somebody_approves(
    new_organisation: Callable[[], InfluxAddress], real_airflow: AirflowProcess, tmp_path: Path
) -> None:
    if not real_airflow.is_three:
        pytest.skip("Airflow asks people since 3.1")
    place = new_organisation()
    place.fresh_buckets("raw_telemetry", "rollup_hourly")
    times = [datetime(2025, 3, 8, tzinfo=UTC) + timedelta(hours=hour) for hour in range(24)]
    lines = [
        f"sensor_readings,d=a temperature={time.hour} {int(time.timestamp())}000000000" for time in times
    ]
    for _ in place.write("raw_telemetry", lines):
        pass
    environment = {
        "AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection(),
        "AIRFLOW_VAR_TELEMETRY_ARCHIVE": str(tmp_path),
        "AIRFLOW_VAR_TELEMETRY_QUIET_FOR": "0s",
    }
    make_ready(real_airflow, "archive_and_purge", "approved_purge")
    run_dag(real_airflow, "archive_and_purge", "2025-03-09T00:00:00+00:00", environment=environment)
    assert count(place) == 24
    # in place of the person
    approved = ("--mark-success-pattern", "approve")
    run_dag(real_airflow, "approved_purge", "2025-04-08T00:00:00+00:00", *approved, environment=environment)
    assert count(place) == 0


def test_pools_of_the_example_are_imported(real_airflow: AirflowProcess) -> None:
    real_airflow.cli("pools", "import", str(POOLS))
    pools = dict(real_airflow.rows("select pool, slots from slot_pool"))
    assert (pools["influx"], pools["influx_archive"]) == (4, 1)
