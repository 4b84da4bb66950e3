"""Rows of a target as a write: as line protocol, and by queries where that cannot hold a tag of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import TagSet
from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.flux.write_points import FluxPoint
from airflow_provider_influx_rollup.ledger.line_blocks import FieldValues, encode_rows
from airflow_provider_influx_rollup.ledger.line_protocol import FieldValue, UInt, encode_line, encode_series
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.influx import Write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from airflow_provider_influx_rollup.lifecycle.target.rows import TargetRows

KEEPS_TYPE = frozenset({"sum", "min", "max", "first", "last", "spread", "increase"})
KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (UInt, "unsigned"),
    (int, "integer"),
    (float, "float"),
    (str, "string"),
)


def write_of_rows(job: RollupBlock, rows: TargetRows) -> Write:
    """The rows of a block, sorted by series and window.

    :raises InvalidName: when the name of a field cannot be written
    """
    spec = job.spec
    unsigned = {
        column.name
        for column in job.columns
        if column.field_type == "unsigned" and column.aggregate.name in KEEPS_TYPE
    }
    starts = [window.start_ns for window in job.windows]
    columns = {
        name: FieldValues(column.series, column.window, column.values, is_unsigned=name in unsigned)
        for name, column in rows.columns.items()
    }
    try:
        return Write(spec.target_bucket, encode_rows(spec.output_measurement, rows.tag_sets, starts, columns))
    except InvalidName:
        return _partly_by_query(spec.target_bucket, spec.output_measurement, rows.tag_sets, starts, columns)


def rows_lost_inside(rows: TargetRows) -> TargetRows:
    """Rows that InfluxDB would write under a key at which they are not found: it sorts tags, and a backslash before the next tag is an escape."""
    is_lost = np.array(
        [any(text.endswith("\\") for _, text in tags[:-1]) for tags in rows.tag_sets], np.bool_
    )
    columns = {
        name: replace(
            column,
            series=column.series[is_lost[column.series]],
            window=column.window[is_lost[column.series]],
            time_ns=column.time_ns[is_lost[column.series]],
            values=column.values[is_lost[column.series]],
        )
        for name, column in rows.columns.items()
        if is_lost[column.series].any()
    }
    return replace(rows, columns=columns)


def row_count(job: RollupBlock, rows: TargetRows) -> int:
    """Number of pairs of series and window that have a value."""
    places = [column.series * len(job.windows) + column.window for column in rows.columns.values()]
    return len(np.unique(np.concatenate(places))) if places else 0


def write_of_points(
    bucket: str, measurement: str, points: Mapping[tuple[TagSet, int], Mapping[str, FieldValue]]
) -> Write:
    """Some points, by tag set and time; those without a value are left out.

    :raises InvalidName: when the name of a field cannot be written
    """
    lines: list[str] = []
    unheld: list[FluxPoint] = []
    for (tags, time_ns), values in points.items():
        if not values:
            continue
        if _can_hold(measurement, tags, values):
            lines.append(encode_line(measurement, dict(tags), values, time_ns))
        else:
            unheld += _flux_points(measurement, tags, time_ns, values)
    return Write(bucket, lines, tuple(unheld))


def _partly_by_query(
    bucket: str,
    measurement: str,
    tag_sets: Sequence[TagSet],
    starts: Sequence[int],
    columns: Mapping[str, FieldValues],
) -> Write:
    # what no form can write is refused as before
    encode_series(measurement, {}, columns)
    is_held = np.array([_can_hold(measurement, tags, columns) for tags in tag_sets], np.bool_)
    held = {name: _where(column, is_held[column.series]) for name, column in columns.items()}
    some = {name: column for name, column in held.items() if len(column.series)}
    kept = [tags if can else () for tags, can in zip(tag_sets, is_held, strict=True)]
    lines = encode_rows(measurement, kept, starts, some) if some else []
    unheld: list[FluxPoint] = []
    for name, column in columns.items():
        other = _where(column, ~is_held[column.series])
        places = zip(other.series.tolist(), other.window.tolist(), other.values.tolist(), strict=True)
        for series, window, value in places:
            number = UInt(value) if column.is_unsigned else value
            unheld += _flux_points(measurement, tag_sets[series], starts[window], {name: number})
    return Write(bucket, lines, tuple(unheld))


def _can_hold(measurement: str, tags: TagSet, fields: Iterable[str]) -> bool:
    try:
        encode_series(measurement, dict(tags), fields)
    except InvalidName:
        return False
    return True


def _flux_points(
    measurement: str, tags: TagSet, time_ns: int, values: Mapping[str, FieldValue]
) -> Iterator[FluxPoint]:
    present = tuple((key, text) for key, text in tags if text)
    for name, value in values.items():
        kind = next(kind for known, kind in KINDS if isinstance(value, known))
        yield FluxPoint(
            measurement=measurement, tags=present, field=name, kind=kind, value=value, time_ns=time_ns
        )


def _where(column: FieldValues, is_wanted: NDArray[Any]) -> FieldValues:
    return FieldValues(
        column.series[is_wanted], column.window[is_wanted], column.values[is_wanted], column.is_unsigned
    )
