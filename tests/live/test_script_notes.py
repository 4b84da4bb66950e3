"""Scripts whose rows are not what people expect, although their windows are COMMITTED: the notes, and that their advice is true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now

pytestmark = pytest.mark.live

# local days of Berlin, one of them of 23 hours
DAYS = interval("2025-03-27T23:00", "2025-03-31T22:00")
HOUR_NS = 3600 * 10**9


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    """A point of value 1 in each hour of six days."""
    place = make_place(influx, client)
    first = interval("2025-03-27", "2025-03-28").start_ns
    lines = [f"{place.measurement},d=a v=1 {first + n * HOUR_NS}" for n in range(24 * 6)]
    client.write_lines(place.source, lines)
    return place


def sums(place: Place, more: str = "", before: str = "") -> ScriptSpec:
    script = f"""{before}
from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false{more})
  |> to(bucket: "{place.target}")"""
    return ScriptSpec(
        script=script,
        target_bucket=place.target,
        grid=GridSpec("1d", timezone="Europe/Berlin"),
        name="own",
        ledger_bucket=place.ledger,
    )


def run(
    place: Place, spec: ScriptSpec, span: Interval = DAYS, info: RunInfo = RUN
) -> tuple[list[str], list[str]]:
    """The notes of the result, and the warnings of the log."""
    told: list[Report] = []
    result = drive(roll_up_by_script(spec, span, info, now), place.client, told.append)
    assert all(one.is_committed for one in result.receipts)
    return list(result.notes), [one.message for one in told if one.level == "warning"]


def stored(place: Place) -> list[float]:
    rows = place.client.query(
        f'from(bucket: "{place.target}") |> range(start: 0) |> sort(columns: ["_time"])'
    )
    return [row["_value"] for row in rows]


def test_note_names_the_window_when_a_script_cuts_local_days_at_midnight_utc(place: Place) -> None:
    notes, warnings = run(place, sums(place))
    assert notes == warnings
    (note,) = notes
    assert "aggregateWindow() on line 3 counts v.windowPeriod from 1970 in UTC and cuts " in note
    assert "[2025-03-27T23:00:00Z, 2025-03-28T23:00:00Z) at 2025-03-28T00:00:00Z" in note
    assert "location:" in note
    # each day has its last hours, or its first ones, in a row of their own
    assert stored(place) == [1, 23, 1, 23, 1, 22, 2, 22]


def test_local_days_are_whole_when_the_script_has_the_location_of_the_advice(place: Place) -> None:
    location = ', timeSrc: "_start", location: timezone.location(name: "Europe/Berlin")'
    # with a location the storage engine does not aggregate
    spec = replace(sums(place, location, 'import "timezone"'), on_raw_read="allow")
    notes, _ = run(place, spec)
    assert notes == []
    assert stored(place) == [24, 24, 23, 24]


def test_local_days_are_whole_and_pushed_down_when_the_script_aggregates_its_range(place: Place) -> None:
    script = f"""from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> sum()
  |> duplicate(column: "_start", as: "_time")
  |> to(bucket: "{place.target}")"""
    notes, _ = run(place, replace(sums(place), script=script, on_raw_read="fail"))
    assert notes == []
    assert stored(place) == [24, 24, 23, 24]


def test_there_is_no_note_when_windows_are_days_in_utc(place: Place) -> None:
    utc = replace(sums(place), grid=GridSpec("1d"))
    assert run(place, utc, interval("2025-03-28", "2025-03-30")) == ([], [])
    assert stored(place) == [24, 24]


def test_note_names_the_other_task_when_two_scripts_have_one_name(place: Place) -> None:
    span = interval("2025-03-28", "2025-03-30")
    first = replace(sums(place), grid=GridSpec("1d"))
    other = replace(first, script=first.script.replace("fn: sum", "fn: max"))
    power = replace(RUN, dag_id="power")
    assert run(place, first, span)[0] == []
    # the same task with a changed script, and another task with the same one
    assert run(place, replace(first, script=f"{first.script}\n// longer"), span)[0] == []
    assert run(place, first, span)[0] == []
    assert run(place, first, span, power)[0] == []
    assert run(place, first, span)[0] == []
    notes, warnings = run(place, other, span, power)
    assert notes == warnings
    (note,) = notes
    assert (
        f"task {RUN.task_id!r} of DAG {RUN.dag_id!r} has committed 2 of these windows with another script"
        in note
    )
    assert "give each a pipeline= of its own" in note
    # as it says
    named = replace(other, pipeline="power_daily")
    assert run(place, named, span, power)[0] == []
