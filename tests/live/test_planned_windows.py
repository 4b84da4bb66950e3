"""A run that plans windows which others have committed since it looked: these stay what they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.plan.coverage import coverage
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Report
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import interval, make_place, now, writes_to

pytestmark = pytest.mark.live

DAYS = interval("2025-03-03", "2025-03-06")
RUN = RunInfo(dag_id="dag", task_id="task", run_id="run", try_number=1)
ANOTHER = replace(RUN, run_id="another")


@pytest.mark.parametrize("is_there", [False, True])
def test_windows_stay_committed_when_a_run_plans_them_that_had_found_no_receipts(
    influx: InfluxServer, client: InfluxClient, *, is_there: bool
) -> None:
    """It hangs before it says what it wants, while another run does or does not commit that, and dies right after."""
    place = make_place(influx, client)
    lines = [
        f"readings temp={day} {int((DAYS.start + timedelta(days=day, hours=6)).timestamp())}000000000"
        for day in range(3)
    ]
    client.write_lines(place.source, lines)
    spec = place.spec("1d", {"temp": ("count",)}, pipeline="daily")
    steps = roll_up(spec, DAYS, RUN, now, options=RollupOptions(windows_per_block=1))
    step = next(steps)
    while not writes_to(step, place.ledger):
        step = steps.send(None if isinstance(step, Report) else act(step, client))
    if is_there:
        drive(roll_up(spec, DAYS, ANOTHER, now), client, lambda _report: None)
    asked = ReceiptsOf(place.ledger, "daily", "rollup", DAYS)
    before = act(asked, client) if is_there else []
    act(step, client)
    steps.close()
    first, *rest = act(asked, client)
    assert first.state is State.WRITING
    expected = State.COMMITTED if is_there else State.PLANNED
    assert [(one.state, one.run_id) for one in rest] == [(expected, "another" if is_there else "run")] * 2
    if is_there:
        assert rest == before[1:]
    assert list(place.states().values()) == ["WRITING", expected, expected]
    found = drive(coverage(spec, DAYS, now()), client, lambda _report: None)
    states = [window.state.value for window in found.windows]
    assert states == ["writing", expected.value.lower(), expected.value.lower()]
