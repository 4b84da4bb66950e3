"""Order-insensitive checksums: the sum of one 64-bit hash per stored value, so that parts add up to the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

MASK = 2**64 - 1
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def text_hash(text: str, salt: str) -> int:
    """64-bit hash of a text in a role, such as a tag set or a field name."""
    return int.from_bytes(hashlib.blake2b(f"{salt}\0{text}".encode(), digest_size=8).digest(), "little")


def tag_set_hash(measurement: str, tags: Mapping[str, str]) -> int:
    """Hash of a tag set, whatever the order of its keys."""
    text = "\0".join([measurement, *(f"{key}\1{value}" for key, value in sorted(tags.items()))])
    return text_hash(text, "series")


def row_hashes(series: Hashes, fields: Hashes, time_ns: NDArray[np.int64], values: NDArray[Any]) -> Hashes:
    """One hash per row; two rows differ when their series, field, time, type or value bits do.

    :param series: hash of each row's tag set
    :param fields: hash of each row's field name
    :param time_ns: nanoseconds since the epoch
    :param values: floats, integers, booleans, or strings as objects
    """
    mixed = _mix(series + _mix(fields))
    mixed = _mix(mixed ^ (time_ns.view(np.uint64) * GOLDEN))
    return _mix(mixed ^ _mix(value_bits(values)))


def value_bits(values: NDArray[Any]) -> Hashes:
    """64 bits of each value, salted with its type; floats by their bits."""
    if values.dtype.kind == "f":
        return _mix(values.astype(np.float64).view(np.uint64)) + np.uint64(1)
    if values.dtype.kind == "b":
        return values.astype(np.uint64) + np.uint64(2)
    if values.dtype.kind in "iu":
        # a count is written by InfluxDB as an integer and by a worker alike, so the sign bit alone decides nothing
        return _mix(
            values.astype(np.int64 if values.dtype.kind == "i" else np.uint64).view(np.uint64)
        ) + np.uint64(3)
    return np.fromiter((text_hash(value, "value") for value in values), np.uint64, len(values))


def _mix(bits: Hashes) -> Hashes:
    """Spread every bit over all of them (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))


def checksums_by_group(hashes: Hashes, groups: NDArray[np.int64], group_count: int) -> list[str]:
    """The checksum of each group of rows, as 16 hex digits.

    :param groups: group index of each row
    """
    totals = np.zeros(group_count, np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(totals, groups, hashes)
    return [f"{int(total):016x}" for total in totals]


def combine_checksums(checksums: Iterable[str]) -> str:
    """The checksum of rows whose parts have these checksums."""
    return f"{sum(int(checksum, 16) for checksum in checksums if checksum) & MASK:016x}"


def hash_texts(texts: Sequence[str], salt: str) -> Hashes:
    """Hashes of several texts in one role."""
    return np.fromiter((text_hash(text, salt) for text in texts), np.uint64, len(texts))
