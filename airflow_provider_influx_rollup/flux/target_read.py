"""Queries that read the target of a rollup back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import measurement_filter, tag_filter
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
    lines = [
        f"from(bucket: {literals.string(bucket)})",
        f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
        measurement_filter(measurement).strip(),
    ]
    if aggregate_names is not None:
        suffixes = "|".join(re.escape(name) for name in aggregate_names)
        lines.append(f"|> filter(fn: (r) => r._field =~ {literals.regex(f'_({suffixes})$')})")
    if tags:
        lines.append(tag_filter(tags).strip())
    lines += ['|> group(columns: ["_field"])', '|> drop(columns: ["_start", "_stop", "_measurement"])']
    return "\n  ".join(lines)


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
