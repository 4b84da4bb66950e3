"""Query of the certificates that purges and erasures left in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.ledger_rows import chain, is_any, pivoted
from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.purges import CERTIFICATE_MEASUREMENT
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCertificate:
    """A certificate, as the ledger tells of it.

    :param kind: ``"purge"``, ``"erase"`` or what else the certificate says
    :param rows: that were deleted
    :param path: of its file, without secrets
    """

    kind: str
    number: int
    window: Interval
    rows: int
    sha256: str
    path: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class CertificatesOf(LedgerQuery[list[KnownCertificate]]):
    """The certificates of a measurement's deleted points whose windows overlap an interval.

    :param buckets: what the bucket is or was called
    """

    ledger_bucket: str
    buckets: Sequence[str]
    measurement: str
    interval: Interval

    def flux(self) -> str:
        chosen = is_any("bucket", self.buckets), is_any("measurement", [self.measurement])
        names = ("number", "kind", "window_start_ns", "stop_ns", "rows", "sha256", "path")
        told = pivoted(self.ledger_bucket, EVER, CERTIFICATE_MEASUREMENT, *chosen, is_any("_field", names))
        start_ns, stop_ns = self.interval.start_ns, self.interval.stop_ns
        return chain(told, f"|> filter(fn: (r) => r.stop_ns > {start_ns} and r.window_start_ns < {stop_ns})")

    def read(self, rows: Sequence[Row]) -> list[KnownCertificate]:
        return [
            KnownCertificate(
                kind=row["kind"],
                number=row["number"],
                window=Interval(from_ns(row["window_start_ns"]), from_ns(row["stop_ns"])),
                rows=row["rows"],
                sha256=row["sha256"],
                path=row["path"],
                ended_at=row["_time"],
            )
            for row in rows
        ]
