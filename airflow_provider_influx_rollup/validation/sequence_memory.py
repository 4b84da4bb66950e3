"""The last point of each series, carried from one part of the points to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.validation.points import Mask, Points

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(kw_only=True)
class LastPoints:
    """The last point of each series of one field.

    :param kind: the field's type; another type begins again
    :param is_known: whether a series has one
    :param run: for how many points its value has not changed
    """

    kind: str
    is_known: Mask
    values: NDArray[Any]
    time_ns: NDArray[np.int64]
    run: NDArray[np.int64]

    def remember(self, points: Points, rows: NDArray[Any], run: NDArray[np.int64] | None = None) -> None:
        """Keep the last of some rows of each series: numpy keeps the last one assigned."""
        series = points.series[rows]
        self.is_known[series] = True
        self.values[series] = points.values[rows]
        self.time_ns[series] = points.time_ns[rows]
        self.run[series] = 1 if run is None else run[rows]


@dataclass(frozen=True)
class Previous:
    """The point before each point, in its series.

    :param is_known: whether there is one
    """

    is_known: Mask
    values: NDArray[Any]
    time_ns: NDArray[np.int64]


def last_points(memory: dict[str, Any], points: Points) -> LastPoints:
    """The memory of a field's series, with room for those of new points."""
    size = int(points.series.max(initial=-1)) + 1
    known: LastPoints | None = memory.get(points.field)
    if known is None or known.kind != points.kind:
        known = memory[points.field] = LastPoints(
            kind=points.kind,
            is_known=np.zeros(0, bool),
            values=np.zeros(0, points.values.dtype),
            time_ns=np.zeros(0, np.int64),
            run=np.zeros(0, np.int64),
        )
    more = size - len(known.is_known)
    if more > 0:
        for name in ("is_known", "values", "time_ns", "run"):
            array = getattr(known, name)
            setattr(known, name, np.concatenate([array, np.zeros(more, array.dtype)]))
    return known


def previous_points(points: Points, last: LastPoints) -> Previous:
    """The point before each point; before the first of a series, the last one of the part before."""
    first, series = points.is_first, points.series
    values, times = np.empty_like(points.values), np.empty_like(points.time_ns)
    values[1:], times[1:] = points.values[:-1], points.time_ns[:-1]
    values[first], times[first] = last.values[series[first]], last.time_ns[series[first]]
    is_known = ~first
    is_known[first] = last.is_known[series[first]]
    return Previous(is_known, values, times)
