from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import process_time
from timeit import repeat

import pytest

from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("every", "length", "count", "seconds"),
    [("1h", timedelta(days=365), 8_760, 0.05), ("1m", timedelta(days=30), 43_200, 0.25)],
)
def test_tiling_is_quick_when_there_are_many_windows(
    every: str, length: timedelta, count: int, seconds: float
) -> None:
    grid, interval = Grid.of(every), Interval(START, START + length)
    assert len(grid.tile(interval)) == count
    # the best of several in processor time, because other processes share the machine
    assert min(repeat(lambda: grid.tile(interval), timer=process_time, number=1, repeat=7)) < seconds
