"""Windows of a run whose data interval is not made of whole windows."""

from __future__ import annotations

from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import read_edge
from airflow_provider_influx_rollup.lifecycle.pipeline.window_choice import ENDING, NO_WINDOW, TILED
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.touched import windows_ending, windows_touched

WAITING = (
    "{window} of pipeline {pipeline!r} waits for {count} windows of pipeline {below!r}, first for {first}; "
    "the run that completes them rolls it up"
)


def interval_to_run(spec: RollupSpec, interval: Interval, choice: str) -> Steps[tuple[Interval | None, str]]:
    """Windows that a run rolls up.

    - ``"tiled"``: the interval itself, which the grid must tile.
    - ``"ending"``: the windows that stop in ``(start, stop]``.
    - ``"complete"``: the windows inside the interval, and those that reach over its edges if the tier below is
      COMMITTED all over them. Whoever commits the last part of a window rolls it up, in whatever order the runs come.

    :param interval: of the run
    :return: whole windows, or None and the reason why there are none
    """
    if choice == TILED:
        return interval, ""
    grid = spec.grid.grid()
    if choice == ENDING:
        ending = windows_ending(grid, interval)
        reason = NO_WINDOW.format(grid=spec.grid.label, interval=interval)
        return (_span(ending), "") if ending else (None, reason)
    touched = windows_touched(grid, interval)
    stored = yield from load_stored(spec.ledger_bucket)
    spec = as_known(spec, stored)
    edge = yield from read_edge(spec, touched, stored)
    waiting = set(edge.missing(touched))
    # a window inside the interval is required: the rollup itself says what is missing
    ready = [window for window in touched if interval.covers(window) or window not in waiting]
    if ready:
        return _span(ready), ""
    first, *_ = lacking = edge.lacking()
    names = {"pipeline": spec.pipeline_name, "below": edge.below.name}
    return None, WAITING.format(window=touched[0], count=len(lacking), first=first, **names)


def _span(windows: list[Interval]) -> Interval:
    return Interval.spanning(windows)
