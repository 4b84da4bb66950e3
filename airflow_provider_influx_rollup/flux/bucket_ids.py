"""The buckets of the organisation, as far as the token may read them: rides along with a query of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class BucketsNow(LedgerQuery[BucketNames]):
    """Name and id of each bucket; at least one may be read."""

    result = "buckets"

    def flux(self) -> str:
        return 'buckets()\n  |> keep(columns: ["name", "id"])'

    def read(self, rows: Sequence[Row]) -> BucketNames:
        return BucketNames.of(rows)
