"""Queries over the source of a rollup: its fields, its counts, its raw points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval


def fields_query(source: RollupSource, parts: Sequence[Interval]) -> str:
    """One typed row for each field that has points in a part: the type of ``_value`` is the field's.

    :param parts: each inside one shard group, where a field has one type; a read over several returns the points
        of one type and leaves out the others without a word
    """
    # without the tags, which nobody reads: a series whose tags cannot be read is a matter of its own windows
    ending = (
        '  |> group(columns: ["_field"])\n  |> first()\n  |> keep(columns: ["_time", "_field", "_value"])'
    )
    reads = [f"{render_source(source, part)}\n{ending}" for part in parts]
    if len(reads) == 1:
        return reads[0]
    return "\n\n".join(f'{read}\n  |> yield(name: "{index}")' for index, read in enumerate(reads))


def field_totals_query(source: RollupSource, interval: Interval, fields: Iterable[str] | None = None) -> str:
    """How many points each field has, in one storage read; None counts every field."""
    return f'{render_source(source, interval, fields)}\n  |> group(columns: ["_field"])\n  |> count()'


def counts_query(source: RollupSource, runs: Sequence[EqualRun], fields: Sequence[str]) -> str:
    """How many points each series and field has in each window; ``_time`` is the window's start."""
    return "\n\n".join(
        f"{render_source(source, run.interval, fields)}\n"
        f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, "
        'fn: count, createEmpty: false, timeSrc: "_start")\n'
        '  |> group(columns: ["_field"])\n'
        '  |> drop(columns: ["_start", "_stop", "_measurement"])\n'
        f'  |> yield(name: "{index}")'
        for index, run in enumerate(runs)
    )


def raw_query(source: RollupSource, interval: Interval, fields: Iterable[str]) -> str:
    """The raw points, without the columns that every row would repeat, in one table for each field.

    Few tables take the server two thirds of the time that one table for each series takes.
    """
    return (
        f'{render_source(source, interval, fields)}\n  |> group(columns: ["_field"])\n'
        '  |> drop(columns: ["_start", "_stop", "_measurement"])'
    )
