"""The records of a ledger that concern one run: only their buckets are looked up, when the server's list lacks them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.ledger_read import StoredSpecs
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.codec import TARGET_KEY, SpecRecord
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import stored_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps


def read_near(spec: RollupSpec, *buckets: Bucket | None) -> Steps[list[StoredSpec]]:
    """The specs of the ledger of a run, which must exist; as ``stored_near``.

    :param buckets: source and target of the run; None for one that is missing
    """
    records, names = yield from ask(together(StoredSpecs(spec.ledger_bucket), BucketsNow()))
    return (yield from stored_near(records, names, spec, buckets))


def stored_near(
    records: Sequence[SpecRecord], names: BucketNames, spec: RollupSpec, buckets: Iterable[Bucket | None]
) -> Steps[list[StoredSpec]]:
    """The specs of a ledger, those that concern a run with all buckets as they are called now.

    A ledger may remember hundreds of buckets that are gone, and each would cost every run two requests. What has another
    id than the buckets of the run is none of them, whatever it is called now: it may keep the name of its record.

    :param names: as the server lists them
    :param spec: of the run
    :param buckets: source and target of the run; None for one that is missing
    """
    own = {one.id: one.name for one in buckets if one is not None and one.id}
    known = names.with_more({}, own)
    near = _near(records, spec, own)
    return (yield from stored_of(records, known, spec.ledger_bucket, near=near))


def _near(records: Sequence[SpecRecord], spec: RollupSpec, bucket_ids: Collection[str]) -> list[SpecRecord]:
    """All records of the run's pipeline, of the tier below, and of the pipelines that write a bucket of the run."""
    pipelines = {spec.pipeline_name, spec.source_tier}
    pipelines |= {
        one.pipeline
        for one in records
        # as text first, for a ledger may have thousands
        if any(bucket_id in one.bucket_ids for bucket_id in bucket_ids)
        and json.loads(one.bucket_ids).get(TARGET_KEY) in bucket_ids
    }
    return [one for one in records if one.pipeline in pipelines]
