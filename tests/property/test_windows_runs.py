from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.windows.equal_runs import EqualRun, equal_runs
from airflow_provider_influx_rollup.windows.grid import Grid
from tests.scenes.examples import examples
from tests.scenes.strategies import grids, partitions


def flux_windows(run: EqualRun) -> list[tuple[int, int]]:
    """The windows that Flux makes: anchored at the epoch, clipped to the range, in nanoseconds."""
    first, last = run.interval.start_ns, run.interval.stop_ns
    start = (first - run.offset_ns) // run.every_ns * run.every_ns + run.offset_ns
    windows = []
    while start < last:
        windows.append((max(start, first), min(start + run.every_ns, last)))
        start += run.every_ns
    return windows


@settings(max_examples=examples(150), deadline=None)
@given(grids(), st.data())
def test_runs_give_the_windows_when_flux_cuts_them(grid: Grid, data: st.DataObject) -> None:
    whole, _ = data.draw(partitions(grid, cells=60))
    windows = grid.tile(whole)
    runs = equal_runs(windows)
    assert [window for run in runs for window in run.windows] == windows
    for run in runs:
        assert 0 <= run.offset_ns < run.every_ns
        assert flux_windows(run) == [(window.start_ns, window.stop_ns) for window in run.windows]
    assert all(left.every_ns != right.every_ns for left, right in pairwise(runs))
    if not grid.is_calendar:
        assert len(runs) == 1
