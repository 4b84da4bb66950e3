"""Runs that are deleted and made again under their names: Airflow makes names of dates, and begins with the first try."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up, steps_from_job
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import RUN, interval, make_place, now

pytestmark = pytest.mark.live

HOUR = interval("2025-03-03", "2025-03-03T01:00")
MONDAY, TUESDAY = "2025-03-24T00:00:07+00:00", "2025-03-25T09:00:00+00:00"


@pytest.mark.parametrize(
    ("before", "later", "again"),
    [(MONDAY, MONDAY, False), (MONDAY, TUESDAY, True), ("", TUESDAY, True), (MONDAY, "", False)],
    ids=["the same run", "a run made again", "receipts of an earlier version", "a job of an earlier version"],
)
@pytest.mark.parametrize("deferred", [False, True], ids=["in a worker", "in the triggerer"])
def test_all_is_done_again_unless_the_run_that_committed_it_is_the_same(
    influx: InfluxServer, client: InfluxClient, before: str, later: str, again: bool, deferred: bool
) -> None:
    place = make_place(influx, client)
    spec = place.spec("1h", ["count"])

    def point(second: int) -> None:
        client.write_lines(place.source, [f"{place.measurement} v=1 {HOUR.start_ns + second * 10**9}"])

    def run(info: RunInfo) -> None:
        drive(roll_up(spec, HOUR, info, now), client, lambda _report: None)

    point(1)
    run(replace(RUN, began=before))
    point(2)
    if deferred:
        # the very same try, which another triggerer may have begun
        values = {"spec": spec.as_json(), "intervals": [HOUR.as_json()]}
        job = json.loads(json.dumps({**values, "run_info": asdict(replace(RUN, began=later))}))
        drive(steps_from_job(job, now), client, lambda _report: None)
    else:
        run(replace(RUN, began=later, try_number=2))
    assert place.stored()["_value"].tolist() == [2 if again else 1]
