"""The DAG and the length of its runs, as receipts in a real ledger tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.pipeline_runs import NewestRuns
from airflow_provider_influx_rollup.lifecycle.overview.scheduled import Scheduled
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import make_place

pytestmark = pytest.mark.live

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_hourly_runs_of_the_rollup_are_found_when_a_reconcile_wrote_the_newest_windows(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    spec = place.spec(grid="10m", aggregates=("count",))
    times = [MIDNIGHT + timedelta(minutes=5 * number) for number in range(4 * 12)]
    stamps = [int(at.timestamp()) * 10**9 for at in times]
    client.write_lines(place.source, [f"{place.measurement},device=a temp=20 {at}" for at in stamps])
    for hour in range(4):
        run = RunInfo(dag_id="hourly", task_id="roll", run_id=f"scheduled__{hour}")
        if hour == 3:
            run = RunInfo(
                dag_id="nightly", task_id="mend", run_id="scheduled__x", reason="reconcile: new points"
            )
        wanted = Interval(MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR)
        drive(roll_up(spec, wanted, run, lambda: datetime.now(UTC)), client, lambda _report: None)
    windows = drive(ask(NewestRuns(place.ledger, spec.pipeline_name)), client, print)
    assert len(windows) == 24
    assert Scheduled.of(windows) == Scheduled("hourly", HOUR)
