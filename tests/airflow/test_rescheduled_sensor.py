"""Real runs of a sensor in reschedule mode, each poll of which is another process."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress

TIME = re.compile(r"\d\d:\d\d:\d\d[.,]\d{3}")

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(300)]


def test_the_ledger_is_asked_for_the_upstream_at_the_first_poll_only(
    real_airflow: AirflowProcess, new_organisation: Callable[[], InfluxAddress]
) -> None:
    place = new_organisation()
    with place.buckets_made_meanwhile_deleted():
        place.fresh_buckets("raw", "rollup_ledger")
        environment = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}
        make_ready(real_airflow, "rescheduled")
        told = run_dag(real_airflow, "rescheduled", "2025-03-09T00:00:00+00:00", environment=environment)
    # 2.11 prints some lines twice, with the same time
    polls = {
        time[0].replace(",", "."): "the ledger knows no pipeline 'nobody'" in line
        for line in told.splitlines()
        if "windows are not COMMITTED by nobody" in line and (time := TIME.search(line))
    }
    first, *later = polls.values()
    assert (first, len(later) >= 2, any(later)) == (True, True, False)
