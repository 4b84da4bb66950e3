"""Number of windows to compare at once, so that memory stays flat whatever a window holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval

# of both sides; a value takes some 500 bytes while it is read and compared
MAX_VALUES_PER_BLOCK = 250_000
MAX_WINDOWS_PER_BLOCK = 1_000
FIRST_BLOCK = 24
MAX_GROWTH = 4
# a merge reads up to this many parts of each series
MAX_PARTS = 6


@dataclass(slots=True)
class BlockSizer:
    """Learns from each block how large the next one may be.

    :param values_per_window: of both sides
    :param windows: how many the last block had; 0 before the first one
    """

    values_per_window: float
    windows: int = 0

    @classmethod
    def of(cls, spec: RollupSpec, receipts: Mapping[Interval, Receipt]) -> BlockSizer:
        """Begin with what the receipts say; without any, carefully."""
        values = 2 * max((receipt.rows_out for receipt in receipts.values()), default=0)
        if spec.group_by is not None or spec.grid.period is not None or spec.source_tier is not None:
            # a merge may read many more series than it writes
            values += MAX_PARTS * max((receipt.rows_in for receipt in receipts.values()), default=0)
        return cls(values or MAX_VALUES_PER_BLOCK / FIRST_BLOCK)

    def size(self) -> int:
        """Windows of the next block."""
        fitting = int(MAX_VALUES_PER_BLOCK / max(self.values_per_window, 1.0))
        most = self.windows * MAX_GROWTH if self.windows else MAX_WINDOWS_PER_BLOCK
        return max(1, min(fitting, most, MAX_WINDOWS_PER_BLOCK))

    def learn(self, windows: int, values: int) -> None:
        """Take note of a block that was read."""
        self.windows = windows
        self.values_per_window = values / windows
