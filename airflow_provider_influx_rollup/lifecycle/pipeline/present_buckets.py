"""What the buckets of records are called now, also those that the server's list leaves out."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, FindBucketById, Gather
from airflow_provider_influx_rollup.steps.step import Steps


def present_buckets(listed: BucketNames, records: Iterable[tuple[str, str]]) -> Steps[BucketNames]:
    """The listed buckets, and of the others those that records name, as far as the token may read them.

    :param listed: what ``BucketsNow`` answered
    :param records: the name, and the id or nothing, of each record's bucket
    """
    lacking = listed.lacking(records)
    if not lacking:
        return listed
    ids = sorted({bucket_id for _, bucket_id in lacking})
    # whether another bucket has the name now
    names = sorted({name for name, _ in lacking if not listed.id_of(name)})
    steps = (*map(FindBucketById, ids), *map(FindBucket, names))
    found = yield from ask(Gather(steps))
    by_id, by_name = found[: len(ids)], found[len(ids) :]
    return listed.with_more(
        {one.id: one.name for one in by_id if one is not None},
        {one.id: one.name for one in by_name if one is not None},
    )
