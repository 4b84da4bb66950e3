"""A run that is deleted and made again has the same name and begins with the first try; it does everything again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(600)]

HOUR = datetime(2025, 3, 7, 4, tzinfo=UTC)
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")


def write(place: InfluxAddress, second: int) -> None:
    """Five points of the hour."""
    times = (int(HOUR.timestamp()) + 60 * minute + second for minute in range(5))
    for _ in place.write("made_again_raw", (f"m v=1 {at}000000000" for at in times)):
        pass


def test_run_does_all_again_when_it_is_deleted_and_made_again(
    real_airflow: AirflowProcess, organisation: InfluxAddress
) -> None:
    organisation.fresh_buckets("made_again_raw", "made_again_hours")
    make_ready(real_airflow, "made_again")
    environment = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": organisation.connection()}
    for second, counted in ((0, 5), (7, 10)):
        write(organisation, second)
        # 2.11 deletes the run of that date before, and gives its name again
        run_dag(real_airflow, "made_again", "2025-03-07T05:00:00+00:00", environment=environment)
        rows = oracle.read_target(
            organisation.url, organisation.org, organisation.token, "made_again_hours", "m", *ALWAYS
        )
        assert rows["_value"].tolist() == [counted]
