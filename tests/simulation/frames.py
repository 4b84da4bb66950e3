"""Frames as queries return them, of points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Frame
from tests.simulation.lines import Unsigned, Value
from tests.simulation.points import Point

DTYPES: dict[type[Value], Any] = {
    float: np.float64,
    int: np.int64,
    Unsigned: np.uint64,
    bool: np.bool_,
    str: object,
}


def frames(points: Iterable[Point], result: str = "", starts: Mapping[int, int] | None = None) -> list[Frame]:
    """One frame for each type of values.

    :param starts: the start of the window of each time, for ``start_ns``
    """
    by_kind: dict[type[Value], list[Point]] = {}
    for point in points:
        by_kind.setdefault(type(point[3]), []).append(point)
    return [frame_of(kind, some, result, starts) for kind, some in by_kind.items()]


def frame_of(
    kind: type[Value], points: Sequence[Point], result: str, starts: Mapping[int, int] | None = None
) -> Frame:
    tag_sets = sorted({point[0] for point in points})
    fields = sorted({point[1] for point in points})
    number = {tags: index for index, tags in enumerate(tag_sets)}
    times = [point[2] for point in points]
    values = np.empty(len(points), DTYPES[kind])
    values[:] = [point[3] for point in points]
    return Frame(
        tag_sets=tag_sets,
        series=np.array([number[point[0]] for point in points], np.int64),
        fields=fields,
        field=np.array([fields.index(point[1]) for point in points], np.int64),
        time_ns=np.array(times, np.int64),
        values=values,
        start_ns=None if starts is None else np.array([starts[time] for time in times], np.int64),
        result=result,
    )
