"""Queries of a validation: what InfluxDB counts for the rules, and the counts that tell whether copies are right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import tag_filter
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.windows.interval import Interval

BY_FIELD = '  |> group(columns: ["_field"])'


def looks_query(source: RollupSource, looks: Iterable[tuple[str, Interval, str]]) -> str:
    """Several looks in one query, one yield each.

    :param looks: the kind (``"count"``, ``"last"``, ``"types"`` or ``"total"``), a part inside one shard group, and the yield's name
    """
    return "\n\n".join(
        f"{render_source(source, part)}\n{_look(what, part)}\n  |> yield(name: {literals.string(name)})"
        for what, part, name in looks
    )


def _look(what: str, part: Interval) -> str:
    """What follows ``from |> range |> filter``."""
    if what == "count":
        return f'{render_aggregate(part, "count")}\n{BY_FIELD}\n  |> drop(columns: ["_stop", "_measurement"])'
    return {
        "last": f'  |> last()\n{BY_FIELD}\n  |> drop(columns: ["_start", "_stop", "_measurement"])',
        "types": f"{BY_FIELD}\n  |> first()",
        "total": f"{BY_FIELD}\n  |> count()",
    }[what]


def extremes_query(source: RollupSource, fields_by_part: Mapping[Interval, Sequence[str]]) -> str:
    """The least and the greatest value of each numeric field, named ``min:<number>`` and ``max:<number>`` after the part."""
    return "\n\n".join(
        f'{render_source(source, part, fields)}\n{BY_FIELD}\n  |> {name}()\n  |> yield(name: "{name}:{number}")'
        for number, (part, fields) in enumerate(fields_by_part.items())
        for name in ("min", "max")
    )


def last_points_query(
    source: RollupSource, interval: Interval, fields: Iterable[str], points: int, *, is_joined: bool = False
) -> str:
    """The last points of each series before something.

    :param points: how many of each; one is pushed down
    :param is_joined: whether a tag set may have several series keys, which ``tail()`` refuses unless they are joined
    """
    last = "last()" if points == 1 else f"tail(n: {points})"
    if is_joined:
        last = (
            f'group(columns: ["_time", "_value"], mode: "except")\n  |> sort(columns: ["_time"])\n  |> {last}'
        )
    return (
        f"{render_source(source, interval, fields)}\n  |> {last}\n{BY_FIELD}\n"
        '  |> drop(columns: ["_start", "_stop", "_measurement"])'
    )


def cells_query(source: RollupSource, cells: Iterable[Interval], fields: Iterable[str]) -> str:
    """How many points each cell has, named after its place; ten times cheaper than windows, which make rows per series."""
    names = list(fields)
    return "\n\n".join(
        f'{render_source(source, cell, names)}\n{BY_FIELD}\n  |> count()\n  |> yield(name: "{number}")'
        for number, cell in enumerate(cells)
    )


def copies_query(copies: RollupSource, interval: Interval, rule_tag: str) -> str:
    """How many values each rule and field has in a quarantine bucket."""
    columns = literals.strings([rule_tag, "_field"])
    return f"{render_source(copies, interval)}\n  |> group(columns: {columns})\n  |> count()"


def recorded_rules_query(ledger_bucket: str, measurement: str, tags: Mapping[str, str], at: Interval) -> str:
    """The rules that a validation has results of at an instant, one row each."""
    source = RollupSource(ledger_bucket, measurement, {})
    return (
        f"{render_source(source, at, ['violations'])}\n{tag_filter(tags)}\n"
        '  |> last()\n  |> keep(columns: ["rule"])\n  |> group()'
    )
