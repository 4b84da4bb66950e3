"""Quantile sketches as texts, as they are stored in a string field.

base64 of: one byte for the format, one for the level, the smallest and the largest number (little-endian doubles), then
whole numbers (``varints.py``): how many buckets, the first bucket's key (zigzag), the distance of each other key from
the one before it, the count of each bucket. One sketch has one text. The largest possible one has 27,400 characters; a
string field may have 64 KiB.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.quantile_sketch import Positions, QuantileSketches
from airflow_provider_influx_rollup.aggregates.varints import Numbers, decode_varints, encode_varints
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
HEAD = np.dtype([("format", "u1"), ("level", "u1"), ("low", "<f8"), ("high", "<f8")])


def encode_quantile_sketches(sketches: QuantileSketches) -> NDArray[Any]:
    """One text for each sketch."""
    sizes = sketches.sizes
    first = np.cumsum(2 * sizes + 1) - (2 * sizes + 1)
    numbers = np.zeros(int((2 * sizes + 1).sum()), np.uint64)
    steps = np.diff(sketches.keys, prepend=0)
    steps[sketches.starts] = _zigzag(sketches.keys[sketches.starts])
    numbers[first] = sizes
    numbers[_ranges(first + 1, sizes)] = steps
    numbers[_ranges(first + 1 + sizes, sizes)] = sketches.counts
    encoded, ends = encode_varints(numbers)
    body = encoded.tobytes()
    stops = ends[np.append(first[1:], len(numbers)) - 1].tolist()
    heads = np.zeros(len(sketches), HEAD)
    heads["format"], heads["level"] = FORMAT, sketches.levels
    heads["low"], heads["high"] = sketches.lows, sketches.highs
    texts = np.empty(len(sketches), object)
    start = 0
    for index, stop in enumerate(stops):
        texts[index] = b64encode(heads[index].tobytes() + body[start:stop]).decode()
        start = stop
    return texts


def decode_quantile_sketches(texts: Sequence[str] | NDArray[Any]) -> QuantileSketches:
    """Undo ``encode_quantile_sketches``.

    :raises AggregateTypeMismatch: when a text is no sketch of this format
    """
    try:
        blobs = [b64decode(text, validate=True) for text in texts]
        heads = np.frombuffer(b"".join(blob[: HEAD.itemsize] for blob in blobs), HEAD)
        bodies = [blob[HEAD.itemsize :] for blob in blobs]
        numbers, ends = decode_varints(np.frombuffer(b"".join(bodies), np.uint8))
        return _sketches(heads, numbers, _first_numbers(bodies, ends))
    except ValueError as error:
        what = f"a stored value is no quantile sketch of format {FORMAT}: {error}"
        fix = "read a field that ends with _quantile_sketch, and roll its windows up again"
        raise AggregateTypeMismatch(what, written="nothing", fix=fix) from error


def _first_numbers(bodies: Sequence[bytes], ends: Positions) -> Positions:
    """The number with which each body begins."""
    stops = np.cumsum([len(body) for body in bodies])
    last = np.searchsorted(ends, stops)
    if not all(bodies) or not np.array_equal(ends[last], stops):
        message = "it stops inside a number"
        raise ValueError(message)
    return np.append(0, last[:-1] + 1)


def _sketches(heads: NDArray[Any], numbers: Numbers, first: Positions) -> QuantileSketches:
    sizes = numbers[first].astype(np.int64)
    lengths = np.diff(np.append(first, len(numbers)))
    if len(heads) != len(first) or (heads["format"] != FORMAT).any():
        message = "it does not begin as one"
        raise ValueError(message)
    if (sizes < 1).any() or (lengths != 2 * sizes + 1).any():
        message = "it does not have as many buckets as it says"
        raise ValueError(message)
    starts = np.cumsum(sizes) - sizes
    steps = numbers[_ranges(first + 1, sizes)].astype(np.int64)
    steps[starts] = _unzigzag(numbers[first + 1])
    keys = np.cumsum(steps)
    keys -= np.repeat(keys[starts] - steps[starts], sizes)
    counts = numbers[_ranges(first + 1 + sizes, sizes)].astype(np.int64)
    levels = heads["level"].astype(np.int64)
    return QuantileSketches(
        starts=starts,
        keys=keys,
        counts=counts,
        levels=levels,
        lows=heads["low"].copy(),
        highs=heads["high"].copy(),
    )


def _ranges(starts: Positions, lengths: Positions) -> Positions:
    """The positions of several runs, one after another."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _zigzag(numbers: Positions) -> Positions:
    """Small numbers of either sign as small numbers: 0, -1, 1, -2 are 0, 1, 2, 3."""
    return (numbers << 1) ^ (numbers >> 63)


def _unzigzag(numbers: Numbers) -> Positions:
    halves = (numbers >> np.uint64(1)).astype(np.int64)
    return np.where(numbers & np.uint64(1), ~halves, halves)
