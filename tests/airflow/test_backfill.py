"""Real backfills, by Airflow's own commands, forwards, backwards, again, and beside the schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from dev.airflow_backfill import Backfill, make_ready, run_backfill, unpause
from dev.airflow_process import AirflowProcess
from dev.fleet import MEASUREMENT, TAGS, Fleet, make_fleet, small_plan
from dev.influx_http import InfluxAddress
from dev.processes import wait_until
from tests import oracle
from tests.airflow.dags.rules import AGGREGATES, KINDS

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(300)]

FIRST = datetime(2025, 3, 8, tzinfo=UTC)
LAST = datetime(2025, 3, 8, 10, tzinfo=UTC)
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
SPANS = oracle.windows("2025-03-08 00:00", "2025-03-08 12:00", "1h")


@pytest.fixture(scope="module")
def fleet(organisation: InfluxAddress) -> Fleet:
    """Telemetry of 12 hours in ``raw_telemetry``, and an empty target for each kind of backfill."""
    made = make_fleet(small_plan(FIRST))
    organisation.fresh_buckets("raw_telemetry", *(f"hourly_{kind}" for kind in KINDS))
    for wave in made.waves():
        write(organisation, wave)
    return made


def write(place: InfluxAddress, lines: Iterable[str]) -> None:
    for _ in place.write("raw_telemetry", lines):
        pass


def assert_right(place: InfluxAddress, kind: str, points: pd.DataFrame) -> None:
    """The target holds the oracle's rows and nothing else, each in one series."""
    expected = oracle.rollup(points, TAGS, SPANS, AGGREGATES)
    assert oracle.compare(read_target(place, kind), expected) == []
    stored = oracle.count_points(place.url, place.org, place.token, f"hourly_{kind}", *ALWAYS)
    assert stored == len(expected)


def read_target(place: InfluxAddress, kind: str) -> pd.DataFrame:
    return oracle.read_target(place.url, place.org, place.token, f"hourly_{kind}", MEASUREMENT, *ALWAYS)


def committed(place: InfluxAddress, kind: str) -> dict[str, int]:
    """Generation of each window whose receipt is COMMITTED, by its start."""
    flux = f"""import "strings"
        from(bucket: "rollup_ledger") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
        |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "rollup")
        |> filter(fn: (r) => r._field == "state" or r._field == "generation")
        |> filter(fn: (r) => strings.containsStr(v: r.pipeline, substr: "->hourly_{kind}"))
        |> toString() |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")"""
    receipts = oracle.query(place.url, place.org, place.token, flux)
    times = [receipt["_time"] for receipt in receipts]
    assert len(times) == len(set(times)), "two receipts for one window"
    return {
        pd.Timestamp(receipt["_time"], tz="UTC").isoformat(): int(receipt["generation"])
        for receipt in receipts
        if receipt["state"] == "COMMITTED"
    }


def every_window(generation: int) -> dict[str, int]:
    return {start.isoformat(): generation for start, _ in SPANS}


@dataclass(frozen=True)
class FirstTime:
    """What a backfill left that ran once, oldest first."""

    backfill: Backfill
    runs: dict[str, int]
    target: pd.DataFrame
    committed: dict[str, int]


@pytest.fixture(scope="module")
def forwards(real_airflow: AirflowProcess, organisation: InfluxAddress, fleet: Fleet) -> FirstTime:
    backfill = Backfill("backfill_forwards", FIRST, LAST)
    states = run_backfill(real_airflow, backfill)
    target = read_target(organisation, "forwards")
    return FirstTime(backfill, states.runs, target, committed(organisation, "forwards"))


def test_backfill_commits_all_windows_when_run_forwards(forwards: FirstTime, fleet: Fleet) -> None:
    assert forwards.runs == {"success": 6}
    assert oracle.compare(forwards.target, oracle.rollup(fleet.points, TAGS, SPANS, AGGREGATES)) == []
    assert forwards.committed == every_window(1)


def test_backfill_commits_all_windows_when_run_backwards(
    real_airflow: AirflowProcess, organisation: InfluxAddress, fleet: Fleet
) -> None:
    backwards = Backfill("backfill_backwards", FIRST, LAST, backwards=True, max_active_runs=1)
    assert run_backfill(real_airflow, backwards).runs == {"success": 6}
    assert_right(organisation, "backwards", fleet.points)
    assert committed(organisation, "backwards") == every_window(1)
    order = real_airflow.rows(
        "select data_interval_start from dag_run where dag_id = 'backfill_backwards' order by start_date"
    )
    assert order == sorted(order, reverse=True)


def test_backfill_changes_nothing_when_repeated_over_the_same_data(
    real_airflow: AirflowProcess, organisation: InfluxAddress, fleet: Fleet, forwards: FirstTime
) -> None:
    again = replace(forwards.backfill, reprocess="completed")
    assert run_backfill(real_airflow, again).runs == {"success": 6}
    pd.testing.assert_frame_equal(read_target(organisation, "forwards"), forwards.target)
    assert_right(organisation, "forwards", fleet.points)
    assert committed(organisation, "forwards") == every_window(2)


def test_backfill_ends_right_when_it_overlaps_the_schedule(
    real_airflow: AirflowProcess, organisation: InfluxAddress, fleet: Fleet
) -> None:
    if not real_airflow.is_three:
        # 2.11: the backfill is a scheduler of its own; a second one over the same range stands for the schedule
        first = Backfill("backfill_scheduled", FIRST, datetime(2025, 3, 8, 6, tzinfo=UTC))
        run_backfill(real_airflow, first)
    else:
        make_ready(real_airflow, "backfill_scheduled")
        unpause(real_airflow, "backfill_scheduled")
        scheduled = (
            "select count(*) from dag_run where dag_id = 'backfill_scheduled' and run_type = 'scheduled'"
        )
        wait_until(
            # all of them: Airflow's scheduler dies of a run that a backfill makes while it makes the same one
            lambda: real_airflow.rows(scheduled)[0][0] == 6,
            seconds=110,
            what="the schedule makes its runs",
        )
    over = Backfill("backfill_scheduled", FIRST, LAST, reprocess="completed")
    assert run_backfill(real_airflow, over).runs == {"success": 6}
    assert_right(organisation, "scheduled", fleet.points)
    assert committed(organisation, "scheduled").keys() == every_window(1).keys()
