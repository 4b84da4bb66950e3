"""How many points each series has in each window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.inventory import SeriesSource, source_chain

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.equal_runs import EqualRun


def counts_query(source: SeriesSource, run: EqualRun) -> str:
    """One row per series, field and window with points: ``_time`` is the window's start, ``_value`` the count."""
    return (
        f"{source_chain(source, run.interval)}\n"
        f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, fn: count, "
        'createEmpty: false, timeSrc: "_start")\n'
        '  |> drop(columns: ["_start", "_stop", "_measurement"])\n'
        "  |> group()"
    )
