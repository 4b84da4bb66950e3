"""The last point of each series, carried from one part of the points to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.validation.points import Mask, Points

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
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

    def with_room_for(self, points: Points) -> LastPoints:
        """The same, with nothing of the series that are new; nothing at all when the type is another."""
        if self.kind != points.kind:
            return no_points(points).with_room_for(points)
        more = int(points.series.max(initial=-1)) + 1 - len(self.is_known)
        if more <= 0:
            return self
        return replace(
            self,
            is_known=_longer(self.is_known, more),
            values=_longer(self.values, more),
            time_ns=_longer(self.time_ns, more),
            run=_longer(self.run, more),
        )

    def followed_by(
        self, points: Points, rows: NDArray[Any], run: NDArray[np.int64] | None = None
    ) -> LastPoints:
        """The last points after some rows: of each series, numpy keeps the last one assigned."""
        series = points.series[rows]
        is_known, values, time_ns, runs = (
            self.is_known.copy(),
            self.values.copy(),
            self.time_ns.copy(),
            self.run.copy(),
        )
        is_known[series] = True
        values[series] = points.values[rows]
        time_ns[series] = points.time_ns[rows]
        runs[series] = 1 if run is None else run[rows]
        return replace(self, is_known=is_known, values=values, time_ns=time_ns, run=runs)


#: the last points of each field, by its name
Memory = Mapping[str, LastPoints]


@dataclass(frozen=True)
class Previous:
    """The point before each point, in its series.

    :param is_known: whether there is one
    """

    is_known: Mask
    values: NDArray[Any]
    time_ns: NDArray[np.int64]


def no_points(like: Points) -> LastPoints:
    """No last points, of the type of some."""
    return LastPoints(
        kind=like.kind,
        is_known=np.zeros(0, bool),
        values=np.zeros(0, like.values.dtype),
        time_ns=np.zeros(0, np.int64),
        run=np.zeros(0, np.int64),
    )


def _longer(array: NDArray[Any], more: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros(more, array.dtype)])


def previous_points(points: Points, last: LastPoints) -> Previous:
    """The point before each point; before the first of a series, the last one of the part before."""
    first, series = points.is_first, points.series
    values, times = np.empty_like(points.values), np.empty_like(points.time_ns)
    values[1:], times[1:] = points.values[:-1], points.time_ns[:-1]
    values[first], times[first] = last.values[series[first]], last.time_ns[series[first]]
    is_known = ~first
    is_known[first] = last.is_known[series[first]]
    return Previous(is_known, values, times)
