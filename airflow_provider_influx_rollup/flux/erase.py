"""Queries over series that have some tags: where their points are, and the records that name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import tag_filter
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.windows.interval import Interval

#: of a record, in nanoseconds
EXACT_TIME = "exact_time_ns"
# columns of a rendered point that are no tags
BOUNDS = '  |> drop(columns: ["_start", "_stop", "_measurement"])'


def edges_query(source: RollupSource, interval: Interval) -> str:
    """The times of the first and of the last point of each series and field; the yields are ``first`` and ``last``.

    Of a series whose field has other types in other shard groups it finds the points of one type only.
    """
    kept = '  |> keep(columns: ["_time"])\n  |> group()'
    return "\n\n".join(
        f'{render_source(source, interval)}\n  |> {name}()\n{kept}\n  |> {edge}(column: "_time")\n  |> yield(name: "{name}")'
        for name, edge in (("first", "min"), ("last", "max"))
    )


def part_counts_query(source: RollupSource, parts: Sequence[Interval]) -> str:
    """How many points each part has, counted in the storage engine; the yield is the part's number."""
    return "\n\n".join(
        f'{render_source(source, part)}\n{render_aggregate(part, "count")}\n  |> group()\n  |> sum()\n  |> yield(name: "{number}")'
        for number, part in enumerate(parts)
    )


def matching_points_query(source: RollupSource, interval: Interval) -> str:
    """All points; the slice must be bounded, for the server gathers the answer."""
    return f"{render_source(source, interval)}\n{BOUNDS}"


def records_query(
    ledger_bucket: str, measurement: str, field: str, tags: Mapping[str, str], interval: Interval
) -> str:
    """The texts of one field of the ledger's records, with their tags; empty ones are left out.

    :param tags: of the records
    """
    chosen = tag_filter(tags).strip() if tags else ""
    lines = [
        f"from(bucket: {literals.string(ledger_bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        f"|> filter(fn: (r) => r._measurement == {literals.string(measurement)})",
        f"|> filter(fn: (r) => r._field == {literals.string(field)})",
        *([chosen] if chosen else []),
        '|> filter(fn: (r) => r._value != "")',
        '|> drop(columns: ["_start", "_stop"])',
        # the client's times have microseconds
        f"|> map(fn: (r) => ({{r with {EXACT_TIME}: int(v: r._time)}}))",
    ]
    return "\n  ".join(lines)
