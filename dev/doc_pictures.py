"""Draws the pictures of the guides: ``python -m dev.doc_pictures``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path

from airflow_provider_influx_rollup.lifecycle.plan.coverage import (
    CoverageResult,
    WindowCoverage,
    WindowState,
)
from airflow_provider_influx_rollup.pictures.coverage import draw_coverage
from airflow_provider_influx_rollup.windows.interval import Interval

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
START, HOUR = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)
WEEKS = {
    "cpu_1h": "committed 100, missing 5, committed 40, writing 3, committed 14, not_due 6",
    "mem_1h": "frozen 20, stale_spec 60, committed 60, planned 28",
    "disk_1h": "committed 162, not_due 6",
}


def week(name: str, told: str) -> CoverageResult:
    """Coverage of a week of hours.

    :param told: states and how many hours they last
    """
    parts = (part.split() for part in told.split(", "))
    states = chain.from_iterable(repeat(WindowState(state), int(count)) for state, count in parts)
    windows = tuple(
        WindowCoverage(window=Interval(START + number * HOUR, START + (number + 1) * HOUR), state=state)
        for number, state in enumerate(states)
    )
    return CoverageResult(name, Interval(START, START + len(windows) * HOUR), windows)


if __name__ == "__main__":
    draw_coverage([week(name, told) for name, told in WEEKS.items()], PICTURES / "coverage.png", "png")
