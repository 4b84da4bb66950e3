"""The query of receipts, and of what other DAGs were told of their windows last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.ledger_rows import is_any, is_of, pivoted
from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.announced import ANNOUNCED, ANNOUNCED_BY, TOLD_MEASUREMENT, TOLD_OF
from airflow_provider_influx_rollup.ledger.codec import RECEIPT_MEASUREMENT, decode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class KnownWindow:
    """A window's receipt, and what was told of it.

    :param announced: checksum of the rows that were told of last; None: the window never was
    :param announced_by: who told it
    """

    receipt: Receipt
    announced: str | None
    announced_by: str | None


@dataclass(frozen=True, slots=True)
class KnownWindows(LedgerQuery[list[KnownWindow]]):
    """Receipts of a pipeline whose windows start in an interval, by window, with what was told of them."""

    ledger_bucket: str
    pipeline: str
    stage: str
    interval: Interval
    result = "known"

    def flux(self) -> str:
        mine = is_of(self.pipeline, self.stage)
        return pivoted(self.ledger_bucket, self.interval, RECEIPT_MEASUREMENT, mine)

    def read(self, rows: Sequence[Row]) -> list[KnownWindow]:
        found = [
            KnownWindow(receipt, row.get(ANNOUNCED), row.get(ANNOUNCED_BY))
            for row in rows
            for receipt in decode_receipts([row])
        ]
        return sorted(found, key=lambda known: known.receipt.window)


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a window that has no receipt.

    :param by: who told it
    """

    checksum: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldWindows(LedgerQuery[dict[datetime, Told]]):
    """What was told of the windows of a place that start in an interval, by their starts.

    :param told_of: the place
    """

    ledger_bucket: str
    pipeline: str
    stage: str
    told_of: str
    interval: Interval
    result = "told"

    def flux(self) -> str:
        mine = [is_of(self.pipeline, self.stage), is_any(TOLD_OF, [self.told_of])]
        return pivoted(self.ledger_bucket, self.interval, TOLD_MEASUREMENT, *mine)

    def read(self, rows: Sequence[Row]) -> dict[datetime, Told]:
        return {row["_time"]: Told(row[ANNOUNCED], row[ANNOUNCED_BY]) for row in rows}
