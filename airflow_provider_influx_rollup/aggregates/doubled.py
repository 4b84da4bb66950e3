"""Series and windows that an answer has more than once.

One series is one tag set. Flux's ``to()`` stores tags in the order of the columns, so that InfluxDB may hold a tag set under
several series keys, and aggregates each key by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Codes, Frame, TagSet
from airflow_provider_influx_rollup.aggregates.windowed import Block, concat_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Doubled:
    """The series and windows that blocks of one column have more than once.

    :param numbers: number of each series
    :param keys: ``number * window_count + window``, ascending
    """

    numbers: dict[TagSet, int]
    keys: Codes
    window_count: int

    @classmethod
    def of(cls, blocks: Sequence[Block], window_count: int) -> Doubled | None:
        """Find them; None when there are none, as nearly always."""
        if not blocks:
            return None
        block = concat_blocks(blocks)
        repeated = repeated_keys(block.series * window_count + block.window)
        if not len(repeated):
            return None
        return cls({tags: number for number, tags in enumerate(block.tag_sets)}, repeated, window_count)

    @property
    def tag_sets(self) -> list[TagSet]:
        """The series, sorted."""
        doubled = set((self.keys // self.window_count).tolist())
        return sorted(tags for tags, number in self.numbers.items() if number in doubled)

    @property
    def windows(self) -> list[int]:
        """The windows, ascending."""
        return sorted({int(window) for window in self.keys % self.window_count})

    def only(self, blocks: Iterable[Block]) -> list[Block]:
        """The rows of blocks that are doubled."""
        return [_where(block, self._mask(block)) for block in blocks]

    def without(self, blocks: Iterable[Block]) -> list[Block]:
        """The rows of blocks that are not."""
        return [_where(block, ~self._mask(block)) for block in blocks]

    def _mask(self, block: Block) -> NDArray[np.bool_]:
        numbers = np.array([self.numbers.get(tags, -1) for tags in block.tag_sets], np.int64)[block.series]
        return np.isin(numbers * self.window_count + block.window, self.keys) & (numbers >= 0)


def repeated_keys(keys: Codes) -> Codes:
    """The keys that are there more than once, each once, ascending."""
    ordered = np.sort(keys)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def repeated_times(rows: Frame) -> tuple[TagSet, int] | None:
    """A series and time that rows of one field have more than once; None when there is none."""
    times, codes = np.unique(rows.time_ns, return_inverse=True)
    keys = repeated_keys(rows.series * max(1, len(times)) + codes.reshape(-1))
    if not len(keys):
        return None
    series, time = divmod(int(keys[0]), len(times))
    return rows.tag_sets[series], int(times[time])


def _where(block: Block, keep: NDArray[np.bool_]) -> Block:
    return replace(block, series=block.series[keep], window=block.window[keep], values=block.values[keep])


def added_up(counts: Sequence[Block], window_count: int) -> Sequence[Block]:
    """Counts with one row for each series and window."""
    if Doubled.of(counts, window_count) is None:
        return counts
    block = concat_blocks(counts)
    keys, codes = np.unique(block.series * window_count + block.window, return_inverse=True)
    values = np.zeros(len(keys), np.int64)
    np.add.at(values, codes.reshape(-1), block.values.astype(np.int64))
    series, window = np.divmod(keys, window_count)
    return [replace(block, series=series, window=window, values=values)]
