"""Which DAG a backfill command names, and which logical dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.flux.pipeline_runs import WrittenWindow
from airflow_provider_influx_rollup.lifecycle.overview.scheduled import Scheduled
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
TEN, HOUR = timedelta(minutes=10), timedelta(hours=1)
TENS = Grid.of("10m")


def written(number: int, run: str, *, dag_id: str = "hourly", reason: str = "") -> WrittenWindow:
    start = MIDNIGHT + number * TEN
    return WrittenWindow(window=Interval(start, start + TEN), dag_id=dag_id, run_id=run, reason=reason)


def hours(count: int, kind: str = "scheduled__") -> list[WrittenWindow]:
    return [written(6 * hour + one, f"{kind}{hour}") for hour in range(count) for one in range(6)]


@pytest.mark.parametrize("tens", [1, 5, 6, 7, 12, 15, 24])
@pytest.mark.parametrize("after", range(6))
@pytest.mark.parametrize("is_three", [True, False])
def test_all_runs_that_touch_a_range_are_named_and_no_others(tens: int, after: int, is_three: bool) -> None:
    found = Scheduled.of(hours(3))
    assert found == Scheduled("hourly", HOUR)
    start = MIDNIGHT + 5 * HOUR + after * TEN
    stop = start + tens * TEN
    dates = found.logical_dates(Interval(start, stop), TENS, is_three=is_three)
    runs = [MIDNIGHT + hour * HOUR for hour in range(24)]
    touching = [run for run in runs if run < stop and run + HOUR > start]
    assert [run for run in runs if dates.start <= run <= dates.stop] == touching


@pytest.mark.parametrize(
    "windows",
    [
        hours(3, kind="manual__"),
        [written(1, "by hand")],
    ],
)
def test_the_dates_are_those_of_the_gap_when_no_length_is_known(windows: list[WrittenWindow]) -> None:
    found = Scheduled.of(windows)
    assert found is not None
    gap = Interval(MIDNIGHT + 5 * HOUR, MIDNIGHT + 5 * HOUR + TEN)
    assert found.logical_dates(gap, TENS, is_three=False) == Interval(
        gap.start, gap.stop - timedelta(seconds=1)
    )


def test_a_run_of_one_window_is_the_only_one_named_for_that_window() -> None:
    found = Scheduled.of([written(number, f"scheduled__{number}") for number in range(12)])
    assert found == Scheduled("hourly", TEN)
    dates = found.logical_dates(
        Interval(MIDNIGHT + 5 * HOUR, MIDNIGHT + 5 * HOUR + TEN), TENS, is_three=False
    )
    runs = [MIDNIGHT + number * TEN for number in range(60)]
    assert [run for run in runs if dates.start <= run <= dates.stop] == [MIDNIGHT + 5 * HOUR]


def test_most_runs_decide_when_one_healed_earlier_windows() -> None:
    healed = [written(number, "scheduled__0", reason="heal") for number in range(-30, -20)]
    assert Scheduled.of([*healed, *hours(3)]) == Scheduled("hourly", HOUR)


def test_the_dag_is_that_of_the_rollup_when_a_reconcile_wrote_the_newest_window() -> None:
    repaired = written(18, "scheduled__x", dag_id="nightly", reason="reconcile: new points")
    assert Scheduled.of([*hours(3), repaired]) == Scheduled("hourly", HOUR)
    assert Scheduled.of([repaired]) is None


@pytest.mark.parametrize("after", range(6))
def test_the_first_date_is_on_the_grid_as_intervals_of_a_fixed_length_begin_there(after: int) -> None:
    found = Scheduled.of(hours(3))
    assert found is not None
    gap = Interval(MIDNIGHT + after * TEN, MIDNIGHT + (after + 2) * TEN)
    dates = found.logical_dates(gap, TENS, is_three=False)
    # what Airflow makes of schedule=timedelta(hours=1)
    runs = [Interval(dates.start + number * HOUR, dates.start + (number + 1) * HOUR) for number in range(3)]
    begun = [run for run in runs if run.start <= dates.stop]
    assert all(len(TENS.windows(run)) == 6 for run in begun)
    assert (begun[0].start <= gap.start, begun[-1].stop >= gap.stop) == (True, True)


@pytest.mark.parametrize("tens", [1, 5, 6, 7, 12])
@pytest.mark.parametrize("after", range(6))
def test_runs_are_named_by_their_stop_when_a_trigger_timetable_dates_them_so(tens: int, after: int) -> None:
    dated = [
        written(6 * hour + one, f"scheduled__{(MIDNIGHT + (hour + 1) * HOUR).isoformat()}")
        for hour in range(3)
        for one in range(6)
    ]
    found = Scheduled.of(dated)
    assert found == Scheduled("hourly", HOUR, is_dated_at_stop=True)
    start = MIDNIGHT + 5 * HOUR + after * TEN
    stop = start + tens * TEN
    dates = found.logical_dates(Interval(start, stop), TENS, is_three=False)
    runs = [MIDNIGHT + hour * HOUR for hour in range(24)]
    touching = [run for run in runs if run - HOUR < stop and run > start]
    assert [run for run in runs if dates.start <= run <= dates.stop] == touching
