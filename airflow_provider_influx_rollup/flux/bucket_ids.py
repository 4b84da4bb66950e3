"""The buckets of the organisation that the server lists for the token: rides along with a query of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.query import LedgerQuery, RowsQuery, Together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class BucketsNow(LedgerQuery[BucketNames]):
    """Name and id of some buckets that the token may read: others are looked up by ``present_buckets``.

    InfluxDB lists twenty buckets at a time, leaves out what the token may not read, and takes fewer than twenty for the end.
    None at all is an error there.
    """

    result = "buckets"

    def flux(self) -> str:
        return 'buckets()\n  |> keep(columns: ["name", "id"])'

    def read(self, rows: Sequence[Row]) -> BucketNames:
        return BucketNames.of(rows)


def without_list(query: RowsQuery[Any]) -> Together[Any] | None:
    """The same queries without the list of buckets; None when they do not ask for it."""
    if isinstance(query, Together) and any(isinstance(part, BucketsNow) for part in query.parts):
        return Together(tuple(part for part in query.parts if not isinstance(part, BucketsNow)))
    return None


def with_empty_list(query: RowsQuery[Any], answers: Iterable[Any]) -> tuple[Any, ...]:
    """The answers of queries whose list of buckets was not sent.

    :param query: all of them
    :param answers: of the others
    """
    rest, parts = iter(answers), query.parts if isinstance(query, Together) else ()
    return tuple(BucketNames() if isinstance(part, BucketsNow) else next(rest) for part in parts)
