"""Queries of the ledger's records of purged windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.ledger_rows import PIVOT, UNBOUNDED, chain, is_any, records_of
from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.purges import PURGED_WINDOW, PurgeMark, decode_marks
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class OverlappingMarks(LedgerQuery[list[datetime]]):
    """Starts of the records that overlap an interval; the storage engine finds them, and most often there are none.

    Those of all buckets: which of them is meant is known by its id, which a query cannot ask for by the name.

    :param measurement: None: all
    """

    ledger_bucket: str
    measurement: str | None
    interval: Interval
    result = "marks"

    def flux(self) -> str:
        return chain(
            *_marks(self.ledger_bucket, self.measurement, Interval(EVER.start, self.interval.stop)),
            f'|> filter(fn: (r) => r._field == "stop_ns" and r._value > {self.interval.start_ns})',
            '|> keep(columns: ["_time", "_value"])',
        )

    def read(self, rows: Sequence[Row]) -> list[datetime]:
        return [row["_time"] for row in rows]


@dataclass(frozen=True, slots=True)
class MarksBetween(LedgerQuery[list[PurgeMark]]):
    """Records of windows that start between two instants, both included.

    :param measurement: None: all
    """

    ledger_bucket: str
    measurement: str | None
    first: datetime
    last: datetime
    result = "marks"

    def flux(self) -> str:
        starts = Interval(self.first, self.last + MICROSECOND)
        marks = _marks(self.ledger_bucket, self.measurement, starts)
        return chain(*marks, UNBOUNDED, PIVOT)

    def read(self, rows: Sequence[Row]) -> list[PurgeMark]:
        return decode_marks(rows)


@dataclass(frozen=True, slots=True)
class MarksOfBucket(LedgerQuery[list[PurgeMark]]):
    """All records of a bucket that has, or had, a name."""

    ledger_bucket: str
    bucket: str

    def flux(self) -> str:
        marks = _marks(self.ledger_bucket, None, EVER)
        return chain(*marks, f"|> filter(fn: (r) => {is_any('bucket', [self.bucket])})", UNBOUNDED, PIVOT)

    def read(self, rows: Sequence[Row]) -> list[PurgeMark]:
        return decode_marks(rows)


def _marks(ledger_bucket: str, measurement: str | None, starts: Interval) -> list[str]:
    chosen = [] if measurement is None else [is_any("measurement", [measurement])]
    return records_of(ledger_bucket, starts, PURGED_WINDOW, *chosen)
