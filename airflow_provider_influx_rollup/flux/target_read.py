"""Queries that read the target of a rollup back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter
from airflow_provider_influx_rollup.windows.interval import Interval


def target_query(
    bucket: str,
    measurement: str,
    interval: Interval,
    *,
    aggregate_names: Sequence[str] | None,
    tags: Mapping[str, tuple[str, ...]],
) -> str:
    """All values of a target whose time lies in an interval, grouped by field so that the answer has few tables.

    :param aggregate_names: only fields that end with one of these; None reads every field
    :param tags: the tag values that belong to the pipeline
    """
    suffixed = None if aggregate_names is None else _suffix_filter(aggregate_names)
    chain = _target_chain(bucket, measurement, interval, suffixed, tags)
    return f'{chain}\n  |> drop(columns: ["_start", "_stop", "_measurement"])'


def target_totals_query(
    bucket: str,
    measurement: str,
    interval: Interval,
    *,
    aggregate_names: Sequence[str],
    tags: Mapping[str, tuple[str, ...]],
    count_fields: Sequence[str],
) -> str:
    """How many values each field of a target has (``rows``), and what its stored counts add up to (``points``).

    :param count_fields: the fields that hold counts
    """
    suffixed = _suffix_filter(aggregate_names)
    query = f'{_target_chain(bucket, measurement, interval, suffixed, tags)}\n  |> count()\n  |> yield(name: "rows")'
    if count_fields:
        counts = _target_chain(bucket, measurement, interval, field_filter(count_fields).strip(), tags)
        query += f'\n\n{counts}\n  |> sum()\n  |> yield(name: "points")'
    return query


def _target_chain(
    bucket: str,
    measurement: str,
    interval: Interval,
    fields: str | None,
    tags: Mapping[str, tuple[str, ...]],
) -> str:
    lines = [
        f"from(bucket: {literals.string(bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        measurement_filter(measurement).strip(),
    ]
    if fields is not None:
        lines.append(fields)
    if tags:
        lines.append(tag_filter(tags).strip())
    return "\n  ".join([*lines, '|> group(columns: ["_field"])'])


def _suffix_filter(aggregate_names: Sequence[str]) -> str:
    suffixes = "|".join(re.escape(name) for name in aggregate_names)
    return f"|> filter(fn: (r) => r._field =~ {literals.regex(f'_({suffixes})$')})"


def presence_query(bucket: str, measurement: str, interval: Interval) -> str:
    """All points of a measurement in an interval, to see which are there."""
    return "\n  ".join(
        [
            f"from(bucket: {literals.string(bucket)})",
            f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
            measurement_filter(measurement).strip(),
            '|> drop(columns: ["_start", "_stop"])',
        ]
    )
