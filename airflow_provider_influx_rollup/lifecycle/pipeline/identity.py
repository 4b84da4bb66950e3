"""Find a pipeline in the ledger by the ids of its buckets: a rename makes no other pipeline and no other spec of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.lifecycle.pipeline.near_records import read_near
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import present_names, read_stored
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps


def as_known(spec: RollupSpec, stored: Sequence[StoredSpec]) -> RollupSpec:
    """A spec as the ledger knows it: with the name of its pipeline and the hash of its spec from before a rename.

    :param stored: the specs of its ledger with the present names of all buckets, the last used first
    """
    renamed = present_names(stored)
    known = {one.pipeline for one in stored}
    tier = spec.source_tier
    if tier is not None and tier not in known:
        spec = replace(spec, source_tier=renamed.get(tier, tier))
    if spec.pipeline is None and spec.known_as is None:
        spec = replace(spec, known_as=renamed.get(spec.pipeline_name))
    for one in stored:
        if one.pipeline == spec.pipeline_name and not one.is_script:
            other = one.rollup()
            same = spec if spec.hashed_as == other.hashed_as else replace(spec, hashed_as=other.hashed_as)
            if _has_its_buckets(spec, other) and same.spec_hash() == one.spec_hash:
                return same
    return spec


def with_own_hash(
    spec: RollupSpec, stored: Sequence[StoredSpec], source: Bucket, target: Bucket
) -> RollupSpec:
    """A spec whose hash is no other spec's: the same names may have been those of other buckets.

    :param spec: as the ledger knows it
    """
    if spec.hashed_as is None and _is_of_others(spec, stored):
        return replace(spec, hashed_as=(f"{source.name} {source.id}", f"{target.name} {target.id}"))
    return spec


def known_spec(spec: RollupSpec) -> Steps[RollupSpec]:
    """A spec as its ledger knows it, which must exist."""
    return as_known(spec, (yield from read_stored(spec.ledger_bucket)))


def known_here(
    spec: RollupSpec, source: Bucket | None, target: Bucket | None
) -> Steps[tuple[RollupSpec, list[StoredSpec]]]:
    """A spec as a run of it would know it now, and the specs of its ledger, which must exist."""
    stored = yield from read_near(spec, source, target)
    spec = as_known(spec, stored)
    if source is not None and target is not None:
        spec = with_own_hash(spec, stored, source, target)
    return spec, stored


def _has_its_buckets(spec: RollupSpec, other: RollupSpec) -> bool:
    return (spec.source_bucket, spec.target_bucket) == (other.source_bucket, other.target_bucket)


def _is_of_others(spec: RollupSpec, stored: Sequence[StoredSpec]) -> bool:
    """Whether the ledger has the hash already, for buckets that are not called so any more."""
    mine = (spec.pipeline_name, spec.spec_hash())
    return any(
        one.key == mine and not _has_its_buckets(spec, one.rollup()) for one in stored if not one.is_script
    )
