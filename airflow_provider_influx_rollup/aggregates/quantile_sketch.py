"""Quantiles that merge: a histogram whose buckets have equal relative width, DDSketch with a bound on its size.

Which bucket a number is in depends on nothing but the number (``log_buckets.py``), so that a sketch is the same in
whatever order its numbers came, and a merge of parts is the sketch of the whole, bit for bit. When a sketch has more
than ``MAX_BUCKETS``, all pairs of neighbours are joined and the error about doubles, for all quantiles alike, as in
Epicoco et al.: "UDDSketch: Accurate tracking of quantiles in data streams" (IEEE Access 2020). A whole has at least the
buckets of each part, so that this too comes out the same for parts and whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.aggregates.log_buckets import (
    MAX_KEY,
    Floats,
    Keys,
    join_pairs,
    keys_of,
    middles_of,
    relative_error,
)

Positions = NDArray[np.int64]

MAX_BUCKETS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileSketches:
    """Several sketches, each of at least one number.

    :param starts: position of each sketch's first bucket
    :param keys: the bucket's name, ascending inside a sketch
    :param counts: how many numbers each bucket has, at least one
    :param levels: how often pairs of buckets were joined, for each sketch
    :param lows: the smallest number of each sketch
    :param highs: the largest number of each sketch
    """

    starts: Positions
    keys: Keys
    counts: Positions
    levels: Positions
    lows: Floats
    highs: Floats

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def sizes(self) -> Positions:
        """Number of buckets of each sketch."""
        return np.diff(np.append(self.starts, len(self.keys)))

    @property
    def totals(self) -> Positions:
        """Number of values that each sketch stands for."""
        return np.add.reduceat(self.counts, self.starts)

    @property
    def errors(self) -> Floats:
        """The largest relative error of any quantile of each sketch."""
        return relative_error(self.levels)


def sketch_numbers(values: NDArray[Any], starts: Positions) -> QuantileSketches:
    """One sketch for each group of numbers.

    :param values: finite numbers, sorted by group; faster when ascending inside it
    :param starts: position of each group's first number; groups are never empty
    """
    sizes = np.diff(np.append(starts, len(values)))
    # adding zero makes -0.0 and 0.0 one
    lows, highs = (f.reduceat(values, starts).astype(np.float64) + 0.0 for f in (np.minimum, np.maximum))
    owners = np.repeat(np.arange(len(starts)), sizes)
    tallied = _tally(owners, keys_of(values), None)
    return _fit(*tallied, np.zeros(len(starts), np.int64), lows, highs)


def merge_sketches(parts: QuantileSketches, starts: Positions) -> QuantileSketches:
    """One sketch for each group of sketches, equal to the sketch of all their numbers.

    :param starts: position of each group's first sketch; groups are never empty
    """
    group_of_part = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(parts))))
    levels = np.maximum.reduceat(parts.levels, starts)
    behind = np.repeat(levels[group_of_part] - parts.levels, parts.sizes)
    owners = np.repeat(group_of_part, parts.sizes)
    tallied = _tally(owners, join_pairs(parts.keys, behind), parts.counts)
    lows, highs = np.minimum.reduceat(parts.lows, starts), np.maximum.reduceat(parts.highs, starts)
    return _fit(*tallied, levels, lows, highs)


def quantiles(sketches: QuantileSketches, quantile: float) -> Floats:
    """One quantile of every sketch: between the neighbours of position q * (n - 1), as the exact one.

    :param quantile: between 0 and 1
    """
    position = quantile * (sketches.totals - 1)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, sketches.totals - 1)
    weight = position - below
    low, high = _values_at(sketches, below), _values_at(sketches, above)
    return np.asarray(low * (1 - weight) + high * weight)


def _values_at(sketches: QuantileSketches, ranks: Positions) -> Floats:
    """About the number of each rank: the middle of its bucket; the smallest and the largest are known."""
    up_to = np.cumsum(sketches.counts)
    before = up_to[sketches.starts] - sketches.counts[sketches.starts]
    bucket = np.searchsorted(up_to, before + ranks, side="right")
    middles = np.clip(middles_of(sketches.keys[bucket], sketches.levels), sketches.lows, sketches.highs)
    middles = np.where(ranks == sketches.totals - 1, sketches.highs, middles)
    return np.asarray(np.where(ranks == 0, sketches.lows, middles))


def _tally(owners: Positions, keys: Keys, counts: Positions | None) -> tuple[Positions, Keys, Positions]:
    """The distinct ``(owner, key)`` pairs in order, and how many numbers each has.

    :param counts: of each pair; None counts each once
    """
    pairs = owners * (2 * MAX_KEY) + (keys + MAX_KEY)
    if np.any(pairs[1:] < pairs[:-1]):
        order = np.argsort(pairs)
        pairs, counts = pairs[order], None if counts is None else counts[order]
    firsts = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1]))
    sums = np.diff(np.append(firsts, len(pairs))) if counts is None else np.add.reduceat(counts, firsts)
    owners, shifted = np.divmod(pairs[firsts], 2 * MAX_KEY)
    return owners, shifted - MAX_KEY, sums


def _fit(
    owners: Positions, keys: Keys, counts: Positions, levels: Positions, lows: Floats, highs: Floats
) -> QuantileSketches:
    """Join pairs of buckets of the sketches that have too many, until they have not."""
    while True:
        sizes = np.bincount(owners, minlength=len(levels))
        is_large = sizes > MAX_BUCKETS
        if not is_large.any():
            return QuantileSketches(
                starts=np.cumsum(sizes) - sizes,
                keys=keys,
                counts=counts,
                levels=levels,
                lows=lows,
                highs=highs,
            )
        joins = is_large.astype(np.int64)
        owners, keys, counts = _tally(owners, join_pairs(keys, joins[owners]), counts)
        levels = levels + joins
