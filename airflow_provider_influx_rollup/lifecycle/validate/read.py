"""Read raw points in parts of bounded size, none over the border of two shard groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import QueryFailed
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.flux.validate import CellCounts, LastPoints
from airflow_provider_influx_rollup.lifecycle.source.field_types import TYPE_OF_KIND
from airflow_provider_influx_rollup.lifecycle.source.raw_read import read_raw_points
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.rejections import has_table_twice
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.validation.points import Part, Points, Registry
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval
from airflow_provider_influx_rollup.windows.shards import shard_parts

# what the server says of a tag set that has several series keys
# points are not spread evenly: some more cells spare most of them another cut
SLACK = 1.1
MAX_CELLS = 64
LONGEST_WARM_UP = timedelta(days=1)


def bounded_parts(
    spec: ValidateSpec, part: Interval, fields: Sequence[str], points: int
) -> Steps[list[Interval]]:
    """Cut a part so that no read brings more than ``max_rows_per_read`` points, as far as time can be cut.

    :param points: how many the fields have in it
    """
    most = spec.max_rows_per_read
    if points <= most or part.duration <= MICROSECOND:
        return [part]
    cells = _cells(part, min(ceil(points / most * SLACK), MAX_CELLS))
    counts = yield from ask(CellCounts(spec.source, cells, fields))
    cuts: list[Interval] = []
    held = 0
    for number, cell in enumerate(cells):
        if counts[number] > most:
            # a cell that is too full is cut again, on its own
            cuts += yield from bounded_parts(spec, cell, fields, counts[number])
            held = most
        elif cuts and held + counts[number] <= most:
            cuts[-1] = Interval(cuts[-1].start, cell.stop)
            held += counts[number]
        else:
            cuts.append(cell)
            held = counts[number]
    return cuts


def _cells(part: Interval, wanted: int) -> list[Interval]:
    """Equal cells that cover a part, of a microsecond at least."""
    length = max(part.duration / max(wanted, 2), MICROSECOND)
    bounds = [part.start]
    while bounds[-1] + length < part.stop:
        bounds.append(bounds[-1] + length)
    return [Interval(start, stop) for start, stop in pairwise([*bounds, part.stop])]


def read_part(
    spec: ValidateSpec, interval: Interval, fields: Iterable[str], registry: Registry
) -> Steps[Part]:
    """The points of some fields, by series and time.

    :param fields: no field when there is nothing to read
    """
    names = sorted(fields)
    if not names:
        return Part(interval, (), registry)
    frames = yield from read_raw_points(RawPoints(spec.source, interval, names))
    return Part(interval, tuple(tables_of(frames, registry)), registry)


def read_before(
    spec: ValidateSpec,
    interval: Interval,
    fields: Sequence[str],
    points: int,
    shard_group_seconds: int,
    registry: Registry,
) -> Steps[list[Part]]:
    """The last points of each series before the interval, in order of time.

    :param points: how many of each series
    """
    reach = min(interval.duration, LONGEST_WARM_UP)
    if spec.warm_up is not None:
        reach = Duration.of(spec.warm_up, allow_zero=True).timedelta
    if not reach or not fields or not points:
        return []
    parts = []
    for part in shard_parts(Interval(interval.start - reach, interval.start), shard_group_seconds):
        frames = yield from _last_points(spec, part, fields, points)
        # this many of each series key: of a tag set that has two, points between the earlier ones may lack
        found = tables_of(frames, registry)
        parts.append(Part(part, tuple(table.last_of_each_series(points) for table in found), registry))
    return parts


def _last_points(
    spec: ValidateSpec, part: Interval, fields: Sequence[str], points: int
) -> Steps[list[Frame]]:
    query = LastPoints(source=spec.source, interval=part, fields=fields, points=points)
    try:
        return (yield from ask(query))
    except QueryFailed as error:
        if not has_table_twice(error):
            raise
    return (yield from ask(replace(query, is_joined=True)))


def tables_of(frames: Iterable[Frame], registry: Registry) -> list[Points]:
    """One table for each field; the same field may come in several frames, as other series have other tags."""
    pieces: dict[tuple[str, str], list[tuple[Any, Any, Any]]] = defaultdict(list)
    for frame in frames:
        numbers = registry.numbers_of(frame.tag_sets)
        kind = TYPE_OF_KIND[frame.values.dtype.kind]
        for name in frame.fields:
            some = frame.of_field(name)
            pieces[name, kind].append((numbers[some.series], some.time_ns, some.values))
    return [
        Points.sorted(
            name,
            kind,
            *(np.concatenate(arrays) if len(found) > 1 else arrays[0] for arrays in zip(*found, strict=True)),
        )
        for (name, kind), found in sorted(pieces.items())
    ]
