"""What a window of a tier was merged from: one hash of the checksums of the windows below."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns


@dataclass(frozen=True, slots=True)
class LowerWindows:
    """Windows of a tier with their last commits.

    :param starts: nanoseconds, ascending
    :param committed_ns: when each of them was committed; 0 while it is not COMMITTED
    :param checksums: of each of them
    """

    starts: tuple[int, ...]
    committed_ns: tuple[int, ...]
    checksums: tuple[str, ...]

    @classmethod
    def of(cls, commits: Iterable[tuple[int, int, str]]) -> LowerWindows:
        """From starts, times of commits and checksums, in any order."""
        known = sorted(commits)
        return cls(*(tuple(one[place] for one in known) for place in range(3)))  # type: ignore[arg-type]

    def hash_of(self, window: Interval) -> str:
        """The hash of those that start in a window of the tier above, 16 hex digits."""
        parts = (f"{self.starts[index]} {self.checksums[index]}" for index in self._inside(window))
        return f"{text_hash(chr(0).join(parts), 'merged_from'):016x}"

    def are_those_of(self, window: Interval, merged_from: str | None, written_at: datetime) -> bool:
        """Whether a window of the tier above holds what they hold now.

        So does one whose receipt does not tell, until one of these is committed after it.

        :param merged_from: of its receipt; None in those of earlier versions, empty where it was not known
        :param written_at: of its receipt
        """
        if not merged_from:
            written_ns = to_ns(written_at)
            return all(self.committed_ns[index] <= written_ns for index in self._inside(window))
        return merged_from == self.hash_of(window)

    def _inside(self, window: Interval) -> range:
        return range(bisect_left(self.starts, window.start_ns), bisect_left(self.starts, window.stop_ns))
