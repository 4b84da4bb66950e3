from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.exceptions import InvalidDuration
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.lateness import due_at, is_due

WINDOW = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC))
TEN_MINUTES = Duration.parse("10m")


def test_window_is_due_from_its_stop_plus_lateness_on() -> None:
    due = datetime(2026, 1, 1, 1, 10, tzinfo=UTC)
    assert due_at(WINDOW, TEN_MINUTES) == due
    assert is_due(WINDOW, TEN_MINUTES, due)
    assert not is_due(WINDOW, TEN_MINUTES, due - timedelta(microseconds=1))


def test_window_is_due_at_its_stop_when_lateness_is_zero() -> None:
    assert due_at(WINDOW, Duration.parse("0s", allow_zero=True)) == WINDOW.stop


def test_lateness_in_months_is_refused() -> None:
    with pytest.raises(InvalidDuration, match="no fixed length"):
        due_at(WINDOW, Duration.parse("1mo"))
