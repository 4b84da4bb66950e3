"""Sums of 64-bit integers that no 64 bits cut off: two halves, each added up on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF = 32
LOW = (1 << HALF) - 1


@dataclass(frozen=True, slots=True)
class WideSums:
    """One sum for each group: ``high * 2**32 + low``.

    :param high: whole multiples of 2**32
    :param low: 0 or more, less than 2**32
    """

    high: NDArray[np.int64]
    low: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[Any], starts: NDArray[np.int64]) -> WideSums:
        """Add up integers of each group; right for 2**31 values and fewer in each.

        :param values: signed or unsigned
        :param starts: position of each group's first value
        """
        high = np.add.reduceat((values >> values.dtype.type(HALF)).astype(np.int64), starts)
        low = np.add.reduceat((values & values.dtype.type(LOW)).astype(np.int64), starts)
        return cls(high + (low >> HALF), low & LOW)

    def __add__(self, other: WideSums) -> WideSums:
        low = self.low + other.low
        return WideSums(self.high + other.high + (low >> HALF), low & LOW)

    def fits(self, dtype: np.dtype[Any]) -> NDArray[np.bool_]:
        """Mask of the sums that 64 bits can hold.

        :param dtype: signed or unsigned
        """
        if dtype.kind == "u":
            return np.asarray((self.high >= 0) & (self.high <= LOW))
        return np.asarray((self.high >= -(1 << (HALF - 1))) & (self.high < 1 << (HALF - 1)))

    def integers(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The sums, of which those that do not fit are wrong."""
        return np.asarray(((self.high << HALF) | self.low).view(dtype))

    def floats(self) -> NDArray[np.float64]:
        """The sums, rounded."""
        return np.asarray(self.high.astype(np.float64) * 2.0**HALF + self.low)


def may_overflow(least: int, most: int, count: int) -> bool:
    """Whether a sum of this many integers between two bounds, or a difference of two, may need more than 63 bits.

    :param count: most values of one group
    """
    return max(abs(least), abs(most)) * max(count, 2) >= 1 << 63
