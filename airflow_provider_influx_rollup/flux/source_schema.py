"""Queries over the schema of a source."""

from __future__ import annotations

from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.windows.interval import Interval


def tag_keys_query(source: RollupSource, interval: Interval) -> str:
    """One row for each tag key, from the index; InfluxDB's own columns such as ``_field`` are among them."""
    return (
        f'{render_source(source, interval)}\n  |> keys()\n  |> keep(columns: ["_value"])\n'
        '  |> distinct(column: "_value")'
    )
