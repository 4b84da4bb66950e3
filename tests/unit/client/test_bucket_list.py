"""The list of buckets that rides along with queries of a ledger, where the server has none for the token."""

from __future__ import annotations

from typing import Any

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.client.bucket_admin import BucketAdmin
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import QueryFailed
from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.query import LedgerQuery, together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.steps.step import Steps


class SmallQuery(LedgerQuery[Any]):
    result = "small"

    def flux(self) -> str:
        return "small"

    def read(self, rows: Any) -> Any:
        return [row["v"] for row in rows]


def test_list_of_buckets_is_asked_for_once_when_the_server_has_none_for_the_token() -> None:
    sent: list[str] = []
    unasked: Any = None

    class Unlisted:
        def __init__(self) -> None:
            self.buckets = BucketAdmin("org", unasked, unasked)

        def query_rows(self, flux: str, **_: Any) -> list[Row]:
            sent.append(flux)
            if "buckets()" in flux:
                raise QueryFailed("an error inside the answer: no buckets found in organization 0a")
            return [Row({"v": 7}, yield_name="small")]

    def verb() -> Steps[list[Any]]:
        query = together(SmallQuery(), BucketsNow())
        return [(yield query), (yield query)]

    client: Any = Unlisted()
    assert drive(verb(), client, print) == [([7], BucketNames()), ([7], BucketNames())]
    assert ["buckets()" in flux for flux in sent] == [True, False, False]
