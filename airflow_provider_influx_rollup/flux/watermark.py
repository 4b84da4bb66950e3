"""How far a pipeline has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.ledger_rows import chain, is_of, pivoted
from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.codec import RECEIPT_MEASUREMENT
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

# as ledger/codec.py decodes it: a run that had lost the window committed it
IS_COMMITTED = (
    '|> filter(fn: (r) => r.state == "COMMITTED" and '
    "not (exists r.claimed_by and exists r.committed_by and string(v: r.claimed_by) != string(v: r.committed_by)))"
)


@dataclass(frozen=True, slots=True)
class CommittedUpTo(LedgerQuery["datetime | None"]):
    """The latest stop of a committed window of a rollup that starts in an interval."""

    ledger_bucket: str
    pipeline: str
    interval: Interval

    def flux(self) -> str:
        receipts = pivoted(
            self.ledger_bucket, self.interval, RECEIPT_MEASUREMENT, is_of(self.pipeline, "rollup")
        )
        return chain(
            receipts, IS_COMMITTED, "|> group()", '|> max(column: "stop_ns")', '|> keep(columns: ["stop_ns"])'
        )

    def read(self, rows: Sequence[Row]) -> datetime | None:
        return from_ns(rows[0]["stop_ns"]) if rows else None
