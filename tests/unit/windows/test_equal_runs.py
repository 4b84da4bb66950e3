from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

HOUR_NS = 3_600_000_000_000


def span(start: str, stop: str) -> Interval:
    return Interval(datetime.fromisoformat(start), datetime.fromisoformat(stop))


def test_hours_are_one_run() -> None:
    day = span("2026-01-01T00:00Z", "2026-01-02T00:00Z")
    (run,) = equal_runs(Grid.of("1h").tile(day))
    assert (run.interval, run.every_ns, run.offset_ns, len(run.windows)) == (day, HOUR_NS, 0, 24)


def test_day_of_23_hours_is_a_run_of_its_own() -> None:
    week = span("2025-03-07T00:00-08:00", "2025-03-12T00:00-07:00")
    runs = equal_runs(Grid.of("1d", timezone="America/Los_Angeles").tile(week))
    assert [(run.every_ns // HOUR_NS, len(run.windows)) for run in runs] == [(24, 2), (23, 1), (24, 2)]
    # midnight in Los Angeles is 08:00 UTC before the change and 07:00 after it
    assert [runs[0].offset_ns // HOUR_NS, runs[2].offset_ns // HOUR_NS] == [8, 7]


def test_months_are_grouped_by_length() -> None:
    year = span("2026-01-01T00:00Z", "2027-01-01T00:00Z")
    runs = equal_runs(Grid.of("1mo").tile(year))
    assert [(run.every_ns // HOUR_NS // 24, len(run.windows)) for run in runs] == [
        *[(31, 1), (28, 1), (31, 1), (30, 1), (31, 1), (30, 1)],
        *[(31, 2), (30, 1), (31, 1), (30, 1), (31, 1)],
    ]


def test_monday_weeks_get_the_offset_that_the_epoch_needs() -> None:
    (run,) = equal_runs(Grid.of("1w").tile(span("2025-12-29T00:00Z", "2026-01-12T00:00Z")))
    assert run.offset_ns == 4 * 24 * HOUR_NS


def test_gap_and_overlap_start_a_new_run() -> None:
    hour = timedelta(hours=1)
    first = span("2026-01-01T00:00Z", "2026-01-01T01:00Z")
    after_gap = Interval(first.stop + hour, first.stop + 2 * hour)
    assert [run.windows for run in equal_runs([first, after_gap])] == [(first,), (after_gap,)]
    assert [run.windows for run in equal_runs([first, first])] == [(first,), (first,)]


def test_no_windows_are_no_runs() -> None:
    assert equal_runs([]) == []
