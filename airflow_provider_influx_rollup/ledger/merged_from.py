"""What a window of a tier was merged from: one hash of the checksums of the windows below."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class LowerWindows:
    """Windows of a tier with the checksums of their last commits.

    :param starts: nanoseconds, ascending
    :param checksums: of each of them
    """

    starts: tuple[int, ...]
    checksums: tuple[str, ...]

    @classmethod
    def of(cls, checksums: Iterable[tuple[int, str]]) -> LowerWindows:
        """From pairs of start and checksum, in any order."""
        pairs = sorted(checksums)
        return cls(tuple(start for start, _ in pairs), tuple(checksum for _, checksum in pairs))

    def hash_of(self, window: Interval) -> str:
        """The hash of those that start in a window of the tier above, 16 hex digits."""
        first = bisect_left(self.starts, window.start_ns)
        last = bisect_left(self.starts, window.stop_ns)
        parts = (f"{self.starts[index]} {self.checksums[index]}" for index in range(first, last))
        return f"{text_hash(chr(0).join(parts), 'merged_from'):016x}"

    def are_those_of(self, window: Interval, merged_from: str | None) -> bool:
        """Whether a window of the tier above holds what they hold now; so does one that does not say what it was merged from.

        :param merged_from: of its receipt; empty or None where it is not known
        """
        return not merged_from or merged_from == self.hash_of(window)
