"""Order-insensitive checksums: the sum of one 64-bit hash per stored value, so that parts add up to the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.hashing import mix, text_hash

Hashes = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


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
    mixed = mix(series + mix(fields))
    mixed = mix(mixed ^ (time_ns.view(np.uint64) * GOLDEN))
    return mix(mixed ^ mix(value_bits(values)))


def value_bits(values: NDArray[Any]) -> Hashes:
    """64 bits of each value, salted with its type; floats by their bits."""
    if values.dtype.kind == "f":
        return mix(values.astype(np.float64).view(np.uint64)) + np.uint64(1)
    if values.dtype.kind == "b":
        return values.astype(np.uint64) + np.uint64(2)
    if values.dtype.kind in "iu":
        # a count is written by InfluxDB as an integer and by a worker alike, so the sign bit alone decides nothing
        return mix(
            values.astype(np.int64 if values.dtype.kind == "i" else np.uint64).view(np.uint64)
        ) + np.uint64(3)
    return np.fromiter((text_hash(value, "value") for value in values), np.uint64, len(values))


def checksums_by_group(hashes: Hashes, groups: NDArray[np.int64], group_count: int) -> list[str]:
    """The checksum of each group of rows, as 16 hex digits.

    :param groups: group index of each row
    """
    totals = np.zeros(group_count, np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(totals, groups, hashes)
    return [f"{int(total):016x}" for total in totals]


def hash_texts(texts: Sequence[str], salt: str) -> Hashes:
    """Hashes of several texts in one role."""
    return np.fromiter((text_hash(text, salt) for text in texts), np.uint64, len(texts))
