"""Queries that measure the source of a rollup, without reading its points."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval


def size_query(source: RollupSource, intervals: Sequence[Interval]) -> str:
    """Points (``points``) and series (``series``) of each field in each interval, one storage read per interval.

    The yields are named ``points:<number>`` and ``series:<number>`` after the interval's place.
    """
    return "\n\n".join(
        f"part{number} = {render_source(source, interval)}\n"
        f"{render_aggregate(interval, 'count')}\n"
        '  |> group(columns: ["_field"])\n\n'
        f'part{number} |> sum() |> yield(name: "points:{number}")\n\n'
        f'part{number} |> count() |> yield(name: "series:{number}")'
        for number, interval in enumerate(intervals)
    )


def window_points_query(source: RollupSource, runs: Sequence[EqualRun]) -> str:
    """How many points each field has in each window, over all series; ``_time`` is the window's start."""
    return "\n\n".join(
        f"{render_source(source, run.interval)}\n"
        f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, "
        'fn: count, createEmpty: false, timeSrc: "_start")\n'
        '  |> group(columns: ["_field", "_time"])\n'
        "  |> sum()\n"
        '  |> group(columns: ["_field"])\n'
        f'  |> yield(name: "{number}")'
        for number, run in enumerate(runs)
    )
