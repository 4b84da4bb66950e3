"""Results of computing a block of windows, whole or of some fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from airflow_provider_influx_rollup.aggregates.compute import EXACT_INTEGERS
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.wide_sums import may_overflow
from airflow_provider_influx_rollup.aggregates.windowed import Block


@dataclass(slots=True)
class Computed:
    """Input and result of computing a block of windows.

    :param blocks: what is right for the target, by column name
    :param counts: points of each series and window, by field
    :param points_read: how many source points the columns stand for, by field
    :param extremes: the smallest and largest values of integer fields, to know whether their sums can be right
    """

    blocks: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    points_read: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    extremes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, parts: Iterable[Computed]) -> Computed:
        """All of several results."""
        whole = cls()
        for part in parts:
            for name, blocks in part.blocks.items():
                whole.blocks[name] += blocks
            for name, blocks in part.counts.items():
                whole.counts[name] += blocks
            for name, count in part.points_read.items():
                whole.points_read[name] += count
            for name, values in part.extremes.items():
                whole.extremes[name] += values
        return whole

    def too_large(self) -> dict[str, set[int]]:
        """The windows in which a column lacks a value, as no float is as large."""
        found = {
            name: {int(window) for block in blocks for window in block.too_large}
            for name, blocks in self.blocks.items()
        }
        return {name: windows for name, windows in found.items() if windows}

    def of_large(self, name: str, columns: Sequence[Column]) -> bool:
        """Whether what InfluxDB computed of a field may be cut off to 64 bits, or is no finite float."""
        values = self.extremes.get(name, [])
        is_deviation = any(column.aggregate.name == "stddev" for column in columns)
        # the server takes the deviation of floats, which have fewer digits
        if is_deviation and values and max(map(abs, values)) >= EXACT_INTEGERS:
            return True
        counts = [int(block.values.max()) for block in self.counts[name] if len(block.values)]
        if values and counts and may_overflow(min(values), max(values), max(counts)):
            return True
        return any(len(block.too_large) for column in columns for block in self.blocks[column.name])

    def without(self, fields: Collection[str], columns: Collection[str]) -> Computed:
        """All but some fields; what is known of their values stays.

        :param columns: names of the columns of these fields
        """
        return Computed(
            blocks=defaultdict(list, {k: v for k, v in self.blocks.items() if k not in columns}),
            counts=defaultdict(list, {k: v for k, v in self.counts.items() if k not in fields}),
            points_read=defaultdict(int, {k: v for k, v in self.points_read.items() if k not in fields}),
            extremes=self.extremes,
        )

    def chosen(self, choose: Callable[[Iterable[Block]], list[Block]]) -> Computed:
        """What a choice leaves of the blocks and counts."""
        counts = {name: choose(blocks) for name, blocks in self.counts.items()}
        points = {name: sum(int(block.values.sum()) for block in some) for name, some in counts.items()}
        return Computed(
            blocks=defaultdict(list, {name: choose(blocks) for name, blocks in self.blocks.items()}),
            counts=defaultdict(list, counts),
            points_read=defaultdict(int, points),
        )

    def moved(self, first_window: int) -> Computed:
        """The same in a larger block.

        :param first_window: number that the first window has there
        """
        blocks, counts = (
            {name: [block.moved(first_window) for block in some] for name, some in kind.items()}
            for kind in (self.blocks, self.counts)
        )
        return Computed(defaultdict(list, blocks), defaultdict(list, counts), self.points_read, self.extremes)

    def of_fields(self, fields: Collection[str], columns: Collection[str]) -> Computed:
        """The blocks and counts of some fields.

        :param columns: names of the columns of these fields
        """
        blocks = {name: self.blocks[name] for name in columns}
        counts = {name: self.counts[name] for name in fields}
        return Computed(defaultdict(list, blocks), defaultdict(list, counts))
