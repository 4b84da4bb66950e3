"""Numbers to buckets of about equal relative width, and back: the mapping of DDSketch.

Masson, Rim, Lee: "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees" (VLDB 2019)
puts x into bucket ceil(log x / log g), so that each bucket [low, high] has high / low = g and its middle is at most
(g - 1) / (g + 1) off. The logarithm is replaced by a parabola in each doubling, as the authors' own libraries offer:
with x = 2^e * (1 + s), 0 <= s < 1, the bucket is floor(38 * (e + (4s - s^2) / 3)).

Only additions, multiplications, divisions and square roots are used, which IEEE 754 rounds the same everywhere: one
number is in one bucket on every machine. A logarithm is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Floats = NDArray[np.float64]

BUCKETS_PER_DOUBLING = 38
# the parabola is flattest at both ends of a doubling: a step of 1 in it is at least 3/4 of one in ln x
LN_GAMMA = 0.75 / BUCKETS_PER_DOUBLING
# more than the buckets of the smallest double, so that no position is negative; a power of 2, so that it halves exactly
BIAS = 2**16
# no key is larger than this
MAX_KEY = 2**17


def relative_error(level: NDArray[Any] | int) -> Floats:
    """The largest relative error of a bucket's middle: 0.99 % at level 0, about twice as much with each level.

    :param level: how often pairs of buckets were joined
    """
    return np.asarray(np.tanh(LN_GAMMA / 2 * np.exp2(level)), np.float64)


def keys_of(values: NDArray[Any]) -> Keys:
    """The bucket of each number, in the order of the numbers: below 0 for negative ones, 0 for zero.

    :param values: finite numbers
    """
    significand, exponent = np.frexp(np.abs(values.astype(np.float64)))
    share = 2 * significand - 1
    within = (share * (4 - share) / 3 * BUCKETS_PER_DOUBLING).astype(np.int64)
    whole = (exponent.astype(np.int64) - 1) * BUCKETS_PER_DOUBLING
    position = whole + np.minimum(within, BUCKETS_PER_DOUBLING - 1) + BIAS
    return np.asarray(np.sign(values).astype(np.int64) * (position + 1))


def join_pairs(keys: Keys, times: NDArray[np.int64]) -> Keys:
    """The buckets after pairs of neighbours were joined.

    :param times: how often
    """
    return np.asarray(np.sign(keys) * (((np.abs(keys) - 1) >> times) + 1))


def middles_of(keys: Keys, levels: NDArray[np.int64]) -> Floats:
    """The number that stands for all in its bucket.

    It is the harmonic mean of the bucket's edges, whose largest relative error is the smallest possible.

    :param levels: how often pairs of buckets were joined, for each key
    """
    position = np.maximum(np.abs(keys) - 1, 0)
    low, low_exponent = _edge(position << levels)
    high, high_exponent = _edge((position + 1) << levels)
    ratio = np.ldexp(high / low, high_exponent - low_exponent)
    with np.errstate(
        over="ignore"
    ):  # the largest numbers: what is read is held to the largest value there was
        middle = np.ldexp(low * (2 * ratio / (1 + ratio)), low_exponent)
    return np.asarray(np.where(keys == 0, 0.0, np.sign(keys) * middle))


def _edge(position: Keys) -> tuple[Floats, NDArray[np.int32]]:
    """The lower edge of a bucket of level 0, as significand from 1 to 2 and exponent."""
    exponent, within = np.divmod(position - BIAS, BUCKETS_PER_DOUBLING)
    share = 2 - np.sqrt(4 - 3 * (within / BUCKETS_PER_DOUBLING))
    return 1 + share, exponent.astype(np.int32)
