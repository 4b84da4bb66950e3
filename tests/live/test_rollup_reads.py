"""A window that is larger than one read is told, with the memory that it takes, and is right."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Report
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import interval, make_place, make_points, now

pytestmark = pytest.mark.live


@pytest.mark.parametrize(("limit", "is_told"), [(10, True), (1_000_000, False)])
def test_large_window_is_told_when_one_read_cannot_bound_it(
    limit: int, is_told: bool, influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    place.write(make_points("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z", 60))
    spec = place.spec("1h", ["median"], max_rows_per_read=limit)
    told: list[Report] = []
    steps = roll_up(
        spec,
        interval("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z"),
        RunInfo(dag_id="d", task_id="t", run_id="r"),
        now,
    )
    drive(steps, client, told.append)
    warnings = [one.message for one in told if one.level == "warning"]
    assert any("max_rows_per_read=10" in message for message in warnings) == is_told
