"""Result of a stage: small JSON, the state edge that the next stage checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """The receipts of a run, added up.

    :param receipts: one of each window, in order
    :param notes: what people should know, such as fields that were left out
    :param healed: how many windows before the interval were rolled up too
    :param left: windows before it that are not COMMITTED, with the reason
    """

    pipeline: str
    interval: Interval
    receipts: Sequence[Receipt]
    seconds: float
    notes: Sequence[str] = ()
    healed: int = 0
    left: Sequence[Mapping[str, Any]] = ()

    @property
    def rows_in(self) -> int:
        """Source points read."""
        return sum(receipt.rows_in for receipt in self.receipts)

    def as_json(self) -> dict[str, Any]:
        """The return value of a stage."""
        return {
            "pipeline": self.pipeline,
            "window": self.interval.as_json(),
            "windows": len(self.receipts),
            "rows_in": self.rows_in,
            "rows_out": sum(receipt.rows_out for receipt in self.receipts),
            "series": max((receipt.series for receipt in self.receipts), default=0),
            "checksum": combine_checksums(receipt.checksum for receipt in self.receipts),
            "generation": max((receipt.generation for receipt in self.receipts), default=0),
            "state": _worst_state(self.receipts),
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "healed": self.healed,
            "left": [dict(gap) for gap in self.left],
        }


def _worst_state(receipts: Iterable[Receipt]) -> str:
    """COMMITTED only when every window is."""
    states = {receipt.state.value for receipt in receipts}
    for state in ("WRITING", "PLANNED"):
        if state in states:
            return state
    return "COMMITTED"
