"""Merging the rows of one tier into the windows of the next, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.aggregates import sketches
from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.compute import (
    Groups,
    compute,
    counter_step,
    difference,
    fitting,
    spread_of,
    totals,
)
from airflow_provider_influx_rollup.aggregates.frame import Codes, Frame, TagSet
from airflow_provider_influx_rollup.aggregates.hierarchy import PART_FUNCTIONS, part_of
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.wide_sums import WideSums
from airflow_provider_influx_rollup.aggregates.windowed import Block, WindowBounds, finite, naming

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Children:
    """Rows of the tier below, sorted by group (series and window of the tier) and, inside it, by time.

    :param parts: the values of each part; where ``is_there`` is False the value means nothing
    :param is_there: which rows have the part
    :param starts: position of each group's first row
    """

    parts: Mapping[str, NDArray[Any]]
    is_there: Mapping[str, NDArray[np.bool_]]
    time_ns: Codes
    starts: Codes

    @property
    def group_of_row(self) -> Codes:
        """Group index of each row."""
        return np.repeat(np.arange(len(self.starts)), np.diff(np.append(self.starts, len(self.time_ns))))

    def follows(self) -> NDArray[np.bool_]:
        """Whether each row follows another one of its group."""
        follows = np.ones(len(self.time_ns), bool)
        follows[self.starts] = False
        return follows

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum of each group."""
        return np.asarray(np.add.reduceat(values, self.starts))


def merge_part(column: str, part: str, rows: Frame, bounds: WindowBounds, *, is_stored: bool = True) -> Block:
    """One part of several windows to the same part of the whole.

    :param column: name of the result
    :param rows: the part's rows of the tier below
    :param is_stored: False where only a formula needs it, for which integers may become floats
    :raises AggregateOverflow: when 64 bits cannot hold an integer that is stored
    """
    order, starts, keys = _grouped(rows, bounds)
    groups = Groups(rows.values[order], rows.time_ns[order], starts)
    function = find_aggregate(PART_FUNCTIONS[part])
    with naming(column, keys, bounds):
        is_total = function.name == "sum" and not is_stored
        values = totals(groups) if is_total else compute(function, groups)
    # a formula leaves out what is infinite
    series, window = np.divmod(keys, len(bounds.starts))
    return Block(column=column, tag_sets=rows.tag_sets, series=series, window=window, values=values)


def count_rows(column: str, rows: Frame, bounds: WindowBounds) -> Block:
    """Number of rows of the tier below for each series and window."""
    order, starts, keys = _grouped(rows, bounds)
    counts = np.diff(np.append(starts, len(order)))
    return _block(column, rows.tag_sets, keys, bounds, counts)


def merge_children(column: Column, rows: Mapping[str, Frame], bounds: WindowBounds) -> Block:
    """A column that needs the rows of the tier below one by one.

    :param rows: the rows of each source field of the column; those of the first decide where there is a value
    """
    base = rows[column.sources[0]]
    order, starts, keys = _grouped(base, bounds)
    parts, is_there = {}, {}
    for source in column.sources:
        values, there = _aligned(base, rows.get(source))
        parts[part_of(column, source)] = values[order]
        is_there[part_of(column, source)] = there[order]
    children = Children(parts, is_there, base.time_ns[order], starts)
    sketch = column.aggregate.sketch
    if sketch is not None:
        merged = sketches.merge_texts(sketch, children.parts[sketch], starts)
        return _block(column.name, base.tag_sets, keys, bounds, sketches.column(column.aggregate, merged))
    with (
        naming(column.name, keys, bounds),
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),
    ):
        values = CHILD_MERGES[column.aggregate.name](children)
    return _block(column.name, base.tag_sets, keys, bounds, values)


def derive(column: Column, merged: Mapping[str, Block], bounds: WindowBounds | None = None) -> Block:
    """A column that is a formula over merged parts.

    :param merged: by source field
    :param bounds: for errors, which name the window then
    :raises AggregateOverflow: when 64 bits cannot hold an integer result
    """
    first, second = (merged[source] for source in column.sources)
    left, right = _common(first, second)
    with naming(column.name, first.window[left], bounds), np.errstate(over="ignore", invalid="ignore"):
        values = FORMULAS[column.aggregate.name](first.values[left], second.values[right])
    return Block(
        column=column.name,
        tag_sets=first.tag_sets,
        series=first.series[left],
        window=first.window[left],
        values=values,
    )


def without_partial(block: Block, part_rows: Block, all_rows: Block) -> Block:
    """Without the series and windows of which some rows lack the part: what was too large for the tier below.

    :param part_rows: how many rows have the part
    :param all_rows: how many rows there are
    """
    left, right = _common(part_rows, all_rows)
    partial = left[part_rows.values[left] < all_rows.values[right]]
    lacking = np.setdiff1d(np.arange(len(all_rows.values)), right)
    if not len(partial) and not len(lacking):
        return block
    chosen = replace(
        part_rows,
        series=part_rows.series[partial],
        window=part_rows.window[partial],
        values=part_rows.values[partial],
    )
    gone, _ = _common(block, chosen)
    kept = np.ones(len(block.values), bool)
    kept[gone] = False
    too_large = np.concatenate([block.too_large, chosen.window, all_rows.window[lacking]])
    return replace(
        block,
        series=block.series[kept],
        window=block.window[kept],
        values=block.values[kept],
        too_large=np.unique(too_large),
    )


def _mean(count: NDArray[Any], total: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(total / count)


def _stddev(children: Children) -> NDArray[Any]:
    """Chan's formula over all children at once: squares inside them, plus squares of their means' distances."""
    counts = children.parts["count"].astype(np.float64)
    # one point has no deviation; several points without one had an infinite one
    inside = np.where(counts > 1, np.inf, 0.0)
    if "stddev" in children.parts:
        there = children.is_there["stddev"]
        inside[there] = ((counts - 1) * children.parts["stddev"] ** 2)[there]
    means = _means(children)
    total = children.total(counts)
    mean = children.total(means * counts) / total
    between = counts * (means - mean[children.group_of_row]) ** 2
    deviation = np.sqrt(children.total(inside + between) / (total - 1))
    deviation = np.where(np.isnan(deviation), np.inf, deviation)
    return np.asarray(np.where(total > 1, deviation, np.nan))


def _means(children: Children) -> NDArray[Any]:
    """The mean of each child; of integers less a whole number near it, so that large ones lose no digits."""
    if "sum" not in children.parts:
        return children.parts["mean"].astype(np.float64)
    sums, counts = children.parts["sum"], children.parts["count"]
    if sums.dtype.kind == "f":
        return np.asarray(sums / counts)
    divisors = counts.astype(sums.dtype)
    whole = sums // divisors
    near = whole[children.starts][children.group_of_row]
    return np.asarray(difference(whole, near) + (sums - whole * divisors) / counts)


def _increase(children: Children) -> NDArray[Any]:
    """The increases of the children, and the steps from the last value of one to the first of the next."""
    growth, follows = children.parts["increase"], children.follows()
    steps = counter_step(children.parts["last"][:-1], children.parts["first"][1:])
    between = np.append(steps.dtype.type(0), np.where(follows[1:], steps, steps.dtype.type(0)))
    if growth.dtype.kind == "f":
        return children.total(growth + between)
    whole = WideSums.of(growth, children.starts) + WideSums.of(between, children.starts)
    return fitting(whole, growth.dtype)


def _resets(children: Children) -> NDArray[Any]:
    drops = children.parts["resets"].copy()
    is_drop = children.parts["first"][1:] < children.parts["last"][:-1]
    drops[1:] += (is_drop & children.follows()[1:]).astype(drops.dtype)
    return children.total(drops)


FORMULAS: dict[str, Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]] = {
    "mean": _mean,
    "spread": spread_of,
}
CHILD_MERGES: dict[str, Callable[[Children], NDArray[Any]]] = {
    "stddev": _stddev,
    "increase": _increase,
    "resets": _resets,
}


def _grouped(rows: Frame, bounds: WindowBounds) -> tuple[Codes, Codes, Codes]:
    """Order of the rows by group and time, the position of each group's first row, and the groups' keys."""
    window = np.searchsorted(bounds.starts, rows.time_ns, side="right") - 1
    keys = rows.series * len(bounds.starts) + window
    order = np.lexsort((rows.time_ns, keys))
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, np.diff(ordered) != 0)) if len(order) else order
    return order, starts, ordered[starts]


def _block(
    column: str, tag_sets: list[TagSet], keys: Codes, bounds: WindowBounds, values: NDArray[Any]
) -> Block:
    series, window = np.divmod(keys, len(bounds.starts))
    return finite(Block(column=column, tag_sets=tag_sets, series=series, window=window, values=values))


def _aligned(base: Frame, other: Frame | None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The values of another part at the series and times of the base, and which of them exist."""
    if other is base:
        return base.values, np.ones(len(base), bool)
    if other is None or not len(other):
        return np.zeros(len(base)), np.zeros(len(base), bool)
    left, right = _match(
        (base.tag_sets, base.series, base.time_ns), (other.tag_sets, other.series, other.time_ns)
    )
    values = np.zeros(len(base), other.values.dtype)
    there = np.zeros(len(base), bool)
    values[left], there[left] = other.values[right], True
    return values, there


def _common(first: Block, second: Block) -> tuple[Codes, Codes]:
    """Positions of the series and windows that both blocks have."""
    return _match(
        (first.tag_sets, first.series, first.window), (second.tag_sets, second.series, second.window)
    )


Keys = tuple[list[TagSet], Codes, Codes]


def _match(left: Keys, right: Keys) -> tuple[Codes, Codes]:
    """Positions in two lists of distinct ``(tag set, number)`` keys that mean the same."""
    rank = {tag_set: code for code, tag_set in enumerate(left[0])}
    unknown = len(rank)
    series = np.array([rank.get(tag_set, unknown) for tag_set in right[0]], np.int64)[right[1]]
    numbers, codes = np.unique(np.concatenate([left[2], right[2]]), return_inverse=True)
    codes = codes.reshape(-1)
    mine = left[1] * len(numbers) + codes[: len(left[2])]
    theirs = series * len(numbers) + codes[len(left[2]) :]
    _, positions, others = np.intersect1d(mine, theirs, assume_unique=False, return_indices=True)
    return positions, others
