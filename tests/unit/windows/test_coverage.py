from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.windows.coverage import merge, missing, subtract
from airflow_provider_influx_rollup.windows.interval import Interval

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def hours(start: int, stop: int) -> Interval:
    return Interval(T0 + timedelta(hours=start), T0 + timedelta(hours=stop))


def test_touching_and_overlapping_intervals_merge() -> None:
    assert merge([hours(3, 5), hours(0, 1), hours(1, 2), hours(4, 4 + 2), hours(4, 5)]) == [
        hours(0, 2),
        hours(3, 6),
    ]


def test_hole_in_the_middle_leaves_both_ends() -> None:
    assert subtract([hours(0, 10)], [hours(2, 3), hours(5, 6)]) == [hours(0, 2), hours(3, 5), hours(6, 10)]
    assert subtract([hours(0, 2), hours(4, 6)], [hours(1, 5)]) == [hours(0, 1), hours(5, 6)]


def test_window_done_in_two_parts_is_not_missing() -> None:
    windows = [hours(0, 2), hours(2, 4), hours(4, 6)]
    assert missing(windows, [hours(1, 3), hours(0, 1), hours(4, 6)]) == [hours(2, 4)]


def test_all_windows_are_missing_when_nothing_is_done() -> None:
    assert missing([hours(2, 4), hours(0, 2)], []) == [hours(2, 4), hours(0, 2)]
