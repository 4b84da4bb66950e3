"""Aggregates of sorted groups of values, in numpy: what InfluxDB cannot push down, and merging of parts.

A group is one series in one window. Values come sorted by group and, inside it, by time; ``starts`` are the
positions where the groups begin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.aggregates import sketches
from airflow_provider_influx_rollup.aggregates.catalog import Aggregate

Positions = NDArray[np.int64]
Values = NDArray[Any]

NANOSECONDS_PER_SECOND = 1e9
# padded rows are sorted while they are at most so much longer than the values
MOST_PADDING = 4


@dataclass(frozen=True)
class Groups:
    """Values sorted by group and time.

    :param starts: position of each group's first value; groups are never empty
    :param time_ns: nanoseconds since the epoch of each value
    :param sketches: the sketches that were built, by name: several aggregates are read from one
    """

    values: Values
    time_ns: Positions
    starts: Positions
    sketches: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def counts(self) -> Positions:
        """How many values each group has."""
        return np.diff(np.append(self.starts, len(self.values)))

    @cached_property
    def ordered(self) -> NDArray[np.float64]:
        """The values as floats, ascending in each group."""
        values = self.values.astype(np.float64)
        counts = self.counts
        longest = int(counts.max(initial=0))
        if len(counts) * longest > MOST_PADDING * len(values):
            return np.asarray(values[np.lexsort((values, self.group_of_value))])
        # rows of equal length sort ten times faster than pairs of group and value
        is_value = np.arange(longest) < counts[:, None]
        rows = np.full(is_value.shape, np.inf)
        rows[is_value] = values
        rows.sort(axis=1)
        return np.asarray(rows[is_value])

    @property
    def group_of_value(self) -> Positions:
        """Group index of each value."""
        return np.repeat(np.arange(len(self.starts)), self.counts)


def compute(aggregate: Aggregate, groups: Groups) -> Values:
    """One aggregate of every group; NaN where a group has too few values for it.

    :param aggregate: from the catalog
    """
    if aggregate.sketch is not None:
        return _sketched(aggregate, aggregate.sketch, groups)
    if aggregate.quantile is not None:
        return _quantile(groups, aggregate.quantile)
    return FUNCTIONS[aggregate.name](groups)


def _sketched(aggregate: Aggregate, name: str, groups: Groups) -> Values:
    if name not in groups.sketches:
        # the quantiles of a field, exact or not, share the sorting
        values = groups.ordered if name == "quantile_sketch" else groups.values
        groups.sketches[name] = sketches.build(name, values, groups.starts)
    return sketches.column(aggregate, groups.sketches[name])


def _count(groups: Groups) -> Values:
    return groups.counts


def _sum(groups: Groups) -> Values:
    return np.add.reduceat(groups.values, groups.starts)


def _mean(groups: Groups) -> Values:
    return np.asarray(_sum(groups) / groups.counts)


def _min(groups: Groups) -> Values:
    return np.minimum.reduceat(groups.values, groups.starts)


def _max(groups: Groups) -> Values:
    return np.maximum.reduceat(groups.values, groups.starts)


def _first(groups: Groups) -> Values:
    return np.asarray(groups.values[groups.starts])


def _last(groups: Groups) -> Values:
    return np.asarray(groups.values[groups.starts + groups.counts - 1])


def _spread(groups: Groups) -> Values:
    return np.asarray(_max(groups) - _min(groups))


def _stddev(groups: Groups) -> Values:
    """Sample standard deviation in two passes: sqrt(sum((x - mean)^2) / (n - 1))."""
    values = groups.values.astype(np.float64)
    counts = groups.counts
    means = np.add.reduceat(values, groups.starts) / counts
    squares = np.add.reduceat((values - np.repeat(means, counts)) ** 2, groups.starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(squares / (counts - 1)))


def _quantile(groups: Groups, quantile: float) -> Values:
    """Linear interpolation between the neighbours of position q * (n - 1)."""
    ordered = groups.ordered
    position = quantile * (groups.counts - 1)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, groups.counts - 1)
    weight = position - below
    low, high = ordered[groups.starts + below], ordered[groups.starts + above]
    return np.asarray(low * (1 - weight) + high * weight)


def _median(groups: Groups) -> Values:
    return _quantile(groups, 0.5)


def _distinct(groups: Groups) -> Values:
    """How many distinct values each group has."""
    _, codes = np.unique(groups.values, return_inverse=True)
    order = np.lexsort((codes, groups.group_of_value))
    is_new = np.append(True, np.diff(codes.reshape(-1)[order]) != 0)
    is_new[groups.starts] = True
    return np.add.reduceat(is_new.astype(np.int64), groups.starts)


def _integral(groups: Groups) -> Values:
    """Area under the straight lines between a window's own points, per second (trapezoid rule)."""
    values = groups.values.astype(np.float64)
    seconds = np.diff(groups.time_ns) / NANOSECONDS_PER_SECOND
    areas = np.append(seconds * (values[1:] + values[:-1]) / 2, 0.0)
    areas[groups.starts[1:] - 1] = 0.0
    return np.add.reduceat(areas, groups.starts)


def counter_step(before: Values, after: Values) -> Values:
    """What a counter grew by between two values: after a drop it counts from zero again."""
    return np.asarray(np.where(after >= before, after - before, np.maximum(after, after.dtype.type(0))))


def _increase(groups: Groups) -> Values:
    """The steps between a window's own points; those over its edges belong to the tier that merges windows."""
    steps = np.zeros_like(groups.values)
    steps[1:] = counter_step(groups.values[:-1], groups.values[1:])
    steps[groups.starts] = 0
    return np.asarray(np.add.reduceat(steps, groups.starts))


def _resets(groups: Groups) -> Values:
    """How often a value is lower than the one before it in the window."""
    drops = np.zeros(len(groups.values), np.int64)
    drops[1:] = groups.values[1:] < groups.values[:-1]
    drops[groups.starts] = 0
    return np.asarray(np.add.reduceat(drops, groups.starts))


FUNCTIONS: dict[str, Callable[[Groups], Values]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "min": _min,
    "max": _max,
    "first": _first,
    "last": _last,
    "spread": _spread,
    "stddev": _stddev,
    "median": _median,
    "distinct": _distinct,
    "integral": _integral,
    "increase": _increase,
    "resets": _resets,
}
