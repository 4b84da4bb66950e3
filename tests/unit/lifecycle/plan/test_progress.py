from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.lifecycle.plan.coverage import (
    CoverageResult,
    WindowCoverage,
    WindowState,
)
from airflow_provider_influx_rollup.lifecycle.plan.progress import ProgressMeter
from airflow_provider_influx_rollup.windows.interval import Interval

START, HOUR = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)


def found(**counts: int) -> list[CoverageResult]:
    states = [WindowState(name) for name, count in counts.items() for _ in range(count)]
    windows = tuple(
        WindowCoverage(window=Interval(START + number * HOUR, START + (number + 1) * HOUR), state=state)
        for number, state in enumerate(states)
    )
    return [CoverageResult("p", Interval(START, START + len(states) * HOUR), windows)]


def test_rate_and_time_left_are_those_of_the_looks() -> None:
    meter = ProgressMeter()
    first = meter.look(1000.0, found(committed=10, missing=85, writing=5, frozen=3, not_due=7))
    assert (first.committed, first.needed, first.lost, first.per_minute) == (10, 90, 3, 0.0)
    assert first.seconds_left is None
    assert first.share == pytest.approx(0.1)
    second = meter.look(1030.0, found(committed=40, missing=60, frozen=3, not_due=7))
    assert second.per_minute == pytest.approx(60)
    assert second.seconds_left == pytest.approx(60)


def test_rate_forgets_what_was_long_ago() -> None:
    meter = ProgressMeter()
    meter.look(0.0, found(committed=0, missing=1000))
    meter.look(60.0, found(committed=600, missing=400))
    slow = [
        meter.look(60.0 + step * 60, found(committed=600 + step, missing=400 - step)) for step in range(1, 8)
    ]
    assert slow[0].per_minute > 100
    assert slow[-1].per_minute == pytest.approx(1)


def test_nothing_left_is_no_time_and_windows_that_fall_back_are_no_rate() -> None:
    meter = ProgressMeter()
    meter.look(0.0, found(committed=5))
    done = meter.look(1.0, found(committed=4, frozen=1))
    assert (done.seconds_left, done.share, done.per_minute) == (0.0, 1.0, 0.0)
