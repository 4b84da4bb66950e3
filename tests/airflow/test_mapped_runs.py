"""Real runs of mapped tasks: what cannot become right is not tried again."""

from __future__ import annotations

import contextlib

import pytest

from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import ProcessFailed
from tests.conftest import InfluxServer

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(300)]


def test_a_mapped_task_is_not_tried_again_when_it_was_given_the_wrong_type(
    real_airflow: AirflowProcess, influx: InfluxServer
) -> None:
    place = InfluxAddress(influx.url, influx.org, influx.token)
    make_ready(real_airflow, "wrong_mapped")
    with contextlib.suppress(ProcessFailed):
        environment = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}
        run_dag(real_airflow, "wrong_mapped", "2025-03-09T00:00:00+00:00", environment=environment, retries=0)
    tries = real_airflow.rows(
        "select map_index, state, try_number from task_instance"
        " where dag_id = 'wrong_mapped' and task_id = 'ask' order by map_index"
    )
    assert tries == [(0, "success", 1), (1, "failed", 1)]
