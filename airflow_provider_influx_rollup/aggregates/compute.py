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
from airflow_provider_influx_rollup.aggregates.wide_sums import WideSums, may_overflow
from airflow_provider_influx_rollup.exceptions import AggregateOverflow

Positions = NDArray[np.int64]
Values = NDArray[Any]

NANOSECONDS_PER_SECOND = 1e9
# padded rows are sorted while they are at most so much longer than the values
MAX_PADDING = 4
# all integers up to here are floats
EXACT_INTEGERS = 2.0**52
# farther apart than this, two integers may be farther apart than 64 bits can tell
FAR = 2.0**62
# what grows with its values can be computed from small ones; their squares are no floats' limit any more
SCALABLE = frozenset({"sum", "mean", "stddev", "integral"})
SCALE = 2.0**-540


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
        """Number of values of each group."""
        return np.diff(np.append(self.starts, len(self.values)))

    @cached_property
    def ordered(self) -> NDArray[np.float64]:
        """The values as floats, ascending in each group."""
        values = self.values.astype(np.float64)
        counts = self.counts
        longest = int(counts.max(initial=0))
        if len(counts) * longest > MAX_PADDING * len(values):
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
    """One aggregate of every group; NaN where a group has too few values, infinite where no float is as large.

    :param aggregate: from the catalog
    :raises AggregateOverflow: when 64 bits cannot hold an integer result
    """
    if aggregate.sketch is not None:
        return _sketched(aggregate, aggregate.sketch, groups)
    if aggregate.quantile is not None:
        return _quantile(groups, aggregate.quantile)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        values = FUNCTIONS[aggregate.name](groups)
        if values.dtype.kind != "f" or np.isfinite(values).all():
            return values
        return _of_large(aggregate, groups, values)


def _of_large(aggregate: Aggregate, groups: Groups, values: Values) -> Values:
    """The results again where a step on the way to them was too large for a float; all of these grow with the values."""
    exists = groups.counts >= (2 if aggregate.name == "stddev" else 1)
    if groups.values.dtype.kind == "f" and aggregate.name in SCALABLE:
        small = Groups(groups.values * SCALE, groups.time_ns, groups.starts)
        values = np.where(np.isfinite(values), values, FUNCTIONS[aggregate.name](small) / SCALE)
    values = np.where(np.isnan(values), np.inf, values)
    return np.asarray(np.where(exists, values, np.nan))


def _sketched(aggregate: Aggregate, name: str, groups: Groups) -> Values:
    if name not in groups.sketches:
        # the quantiles of a field, exact or not, share the sorting
        values = groups.ordered if name == "quantile_sketch" else groups.values
        groups.sketches[name] = sketches.build(name, values, groups.starts)
    return sketches.column(aggregate, groups.sketches[name])


def _count(groups: Groups) -> Values:
    return groups.counts


def _sum(groups: Groups) -> Values:
    values = np.add.reduceat(groups.values, groups.starts)
    wide = _wide(groups)
    return values if wide is None else fitting(wide, groups.values.dtype)


def _mean(groups: Groups) -> Values:
    return np.asarray(totals(groups) / groups.counts)


def totals(groups: Groups) -> Values:
    """The sum of each group; floats where some do not fit into the integers they are sums of."""
    wide = _wide(groups)
    if wide is None:
        return np.asarray(np.add.reduceat(groups.values, groups.starts))
    dtype = groups.values.dtype
    # those that fit are rounded once, as ever
    return np.asarray(np.where(wide.fits(dtype), wide.integers(dtype).astype(np.float64), wide.floats()))


def _wide(groups: Groups) -> WideSums | None:
    """The sums of integers, where 64 bits may not be enough."""
    values = groups.values
    if values.dtype.kind not in "iu" or not len(values):
        return None
    if not may_overflow(int(values.min()), int(values.max()), int(groups.counts.max())):
        return None
    return WideSums.of(values, groups.starts)


def fitting(wide: WideSums, dtype: np.dtype[Any]) -> Values:
    """Sums as integers.

    :raises AggregateOverflow: when one does not fit
    """
    require_fitting(wide.fits(dtype))
    return wide.integers(dtype)


def require_fitting(fits: NDArray[np.bool_]) -> None:
    """Refuse results that 64 bits cannot hold.

    :raises AggregateOverflow: naming the first group
    """
    if not fits.all():
        what = "the result does not fit into the 64 bits of an integer"
        raise AggregateOverflow(what, group=int(np.argmin(fits)))


def _min(groups: Groups) -> Values:
    return np.minimum.reduceat(groups.values, groups.starts)


def _max(groups: Groups) -> Values:
    return np.maximum.reduceat(groups.values, groups.starts)


def _first(groups: Groups) -> Values:
    return np.asarray(groups.values[groups.starts])


def _last(groups: Groups) -> Values:
    return np.asarray(groups.values[groups.starts + groups.counts - 1])


def _spread(groups: Groups) -> Values:
    return spread_of(_min(groups), _max(groups))


def spread_of(least: Values, most: Values) -> Values:
    """The differences.

    :raises AggregateOverflow: when one does not fit
    """
    spread = np.asarray(most - least)
    if spread.dtype.kind == "i":
        require_fitting(spread >= 0)
    return spread


def _stddev(groups: Groups) -> Values:
    """Sample standard deviation in two passes: sqrt(sum((x - mean)^2) / (n - 1))."""
    values, counts = _from_first(groups), groups.counts
    means = np.add.reduceat(values, groups.starts) / counts
    squares = np.add.reduceat((values - np.repeat(means, counts)) ** 2, groups.starts)
    return np.asarray(np.sqrt(squares / (counts - 1)))


def _from_first(groups: Groups) -> NDArray[np.float64]:
    """The values as floats; large integers less the first of their group, so that they lose no digits."""
    values = groups.values
    floats = values.astype(np.float64)
    if values.dtype.kind not in "iu" or not len(values) or np.abs(floats).max() < EXACT_INTEGERS:
        return np.asarray(floats)
    first = np.repeat(values[groups.starts], groups.counts)
    return difference(values, first)


def difference(values: Values, others: Values) -> NDArray[np.float64]:
    """Differences of integers as floats, exact before they are rounded."""
    near = (values - others).view(np.int64).astype(np.float64)
    far = values.astype(np.float64) - others.astype(np.float64)
    return np.asarray(np.where(np.abs(far) < FAR, near, far))


def _quantile(groups: Groups, quantile: float) -> Values:
    """Linear interpolation between the neighbours of position q * (n - 1), never outside of them."""
    ordered = groups.ordered
    position = quantile * (groups.counts - 1)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, groups.counts - 1)
    weight = position - below
    low, high = ordered[groups.starts + below], ordered[groups.starts + above]
    with np.errstate(over="ignore", invalid="ignore"):
        apart = high - low
        between = low + apart * weight
    # neighbours that are farther apart than any float have different signs
    between = np.where(np.isfinite(apart), between, low * (1 - weight) + high * weight)
    return np.asarray(np.minimum(np.maximum(between, low), high))


def _median(groups: Groups) -> Values:
    return _quantile(groups, 0.5)


def _distinct(groups: Groups) -> Values:
    """Number of distinct values of each group."""
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
    """Growth of a counter between two values: after a drop it counts from zero again.

    :return: floats; of integers unsigned ones, which hold each step
    """
    zero = after.dtype.type(0)
    if after.dtype.kind == "f":
        return np.asarray(np.where(after >= before, after - before, np.maximum(after, zero)))
    grown, again = (after - before).view(np.uint64), np.maximum(after, zero).view(np.uint64)
    return np.asarray(np.where(after >= before, grown, again))


def _increase(groups: Groups) -> Values:
    """The steps between a window's own points; those over its edges belong to the tier that merges windows."""
    values = groups.values
    steps = np.zeros(len(values), np.float64 if values.dtype.kind == "f" else np.uint64)
    steps[1:] = counter_step(values[:-1], values[1:])
    steps[groups.starts] = 0
    if values.dtype.kind == "f":
        return np.asarray(np.add.reduceat(steps, groups.starts))
    most = int(steps.max(initial=0))
    if not may_overflow(0, most, int(groups.counts.max(initial=0))):
        return np.asarray(np.add.reduceat(steps, groups.starts).view(values.dtype))
    return fitting(WideSums.of(steps, groups.starts), values.dtype)


def _resets(groups: Groups) -> Values:
    """Number of values that are lower than the one before in the window."""
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
