"""Whole numbers as bytes: seven bits in each, the lowest first, the high bit set when another byte follows (LEB128)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]

MAX_BYTES = 10


def encode_varints(numbers: Numbers) -> tuple[Bytes, Positions]:
    """The bytes of all numbers one after another, and where each number ends."""
    lengths = np.ones(len(numbers), np.int64)
    for bits in range(7, int(numbers.max(initial=0)).bit_length(), 7):
        lengths += numbers >= np.uint64(1 << bits)
    ends = np.cumsum(lengths)
    encoded = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    for index in range(int(lengths.max(initial=0))):
        has = lengths > index
        low_bits = (numbers[has] >> np.uint64(7 * index)) & np.uint64(0x7F)
        follows = (lengths[has] > index + 1).astype(np.uint8) << 7
        encoded[ends[has] - lengths[has] + index] = low_bits.astype(np.uint8) | follows
    return encoded, ends


def decode_varints(encoded: Bytes) -> tuple[Numbers, Positions]:
    """Undo ``encode_varints``.

    :raises ValueError: when the bytes stop inside a number, or a number has more than 64 bits
    """
    if not len(encoded):
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    if encoded[-1] >= 0x80:
        message = "the bytes stop inside a number"
        raise ValueError(message)
    ends = np.flatnonzero(encoded < 0x80) + 1
    starts = np.append(0, ends[:-1])
    lengths = ends - starts
    if lengths.max() > MAX_BYTES:
        message = "a number has more than 64 bits"
        raise ValueError(message)
    shifts = (np.arange(len(encoded)) - np.repeat(starts, lengths)) * 7
    bits = (encoded & np.uint8(0x7F)).astype(np.uint64) << shifts.astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts), ends
