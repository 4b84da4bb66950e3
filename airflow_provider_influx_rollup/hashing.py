"""Hashes of 64 bits that add up: the sum over some rows, in any order, stands for exactly these rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

MASK = 2**64 - 1


def text_hash(text: str, salt: str) -> int:
    """64-bit hash of a text in a role, such as a tag set or a field name."""
    return int.from_bytes(hashlib.blake2b(f"{salt}\0{text}".encode(), digest_size=8).digest(), "little")


def file_token(text: str) -> str:
    """12 hex digits for the names of files that no other run makes."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def mix(bits: Hashes) -> Hashes:
    """Spread every bit over all of them (the finaliser of SplitMix64)."""
    import numpy as np

    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))


def combine_checksums(checksums: Iterable[str]) -> str:
    """The checksum of rows whose parts have these checksums, as 16 hex digits."""
    return f"{sum(int(checksum, 16) for checksum in checksums if checksum) & MASK:016x}"
