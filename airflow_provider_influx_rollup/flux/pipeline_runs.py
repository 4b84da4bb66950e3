"""The runs of a DAG that wrote the newest windows of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.ledger_rows import PIVOT, UNBOUNDED, chain, is_any, records_of
from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.codec import RECEIPT_MEASUREMENT
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

# more than a run has, on most schedules
_NEWEST = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenWindow:
    """A window and the run that wrote it.

    :param reason: why, empty for an ordinary run
    """

    window: Interval
    dag_id: str
    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class NewestRuns(LedgerQuery[list[WrittenWindow]]):
    """The newest windows of a pipeline whose receipts name a DAG, by their start."""

    ledger_bucket: str
    pipeline: str

    def flux(self) -> str:
        fields = is_any("_field", ("dag_id", "run_id", "reason", "stop_ns"))
        chosen = is_any("pipeline", [self.pipeline]), fields
        records = records_of(self.ledger_bucket, EVER, RECEIPT_MEASUREMENT, *chosen)
        return chain(*records, f"|> tail(n: {_NEWEST})", UNBOUNDED, PIVOT)

    def read(self, rows: Sequence[Row]) -> list[WrittenWindow]:
        found = [
            WrittenWindow(
                window=Interval(row["_time"], from_ns(row["stop_ns"])),
                dag_id=row["dag_id"],
                run_id=row.get("run_id") or "",
                reason=row.get("reason") or "",
            )
            for row in rows
            if row.get("dag_id") and row.get("stop_ns") is not None
        ]
        return sorted(found, key=lambda one: one.window)
