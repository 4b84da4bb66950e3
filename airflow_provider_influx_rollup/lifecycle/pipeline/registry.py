"""The pipelines that a ledger knows, and which of them read another one's target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.ledger_read import StoredSpecs
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.codec import SpecRecord, buckets_lacking, decode_specs
from airflow_provider_influx_rollup.lifecycle.pipeline.present_buckets import present_buckets
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket
from airflow_provider_influx_rollup.steps.step import Steps

MAX_NAMES = 10
LEDGER = "ledger_bucket"


def load_pipelines(ledger_bucket: str) -> Steps[dict[str, RollupSpec]]:
    """The spec in force of each rollup of a ledger, by the pipeline's name; none when there is no ledger.

    A user's own script has no spec that could be computed again, and is left out.

    :param ledger_bucket: the bucket of the receipts
    """
    return rollups_in_force((yield from load_stored(ledger_bucket)))


def load_stored(ledger_bucket: str) -> Steps[list[StoredSpec]]:
    """The specs of a ledger, scripts too, the last used first; none when there is no ledger.

    :param ledger_bucket: the bucket of the receipts
    """
    if (yield from ask(FindBucket(ledger_bucket))) is None:
        return []
    return (yield from read_stored(ledger_bucket))


def read_stored(ledger_bucket: str) -> Steps[list[StoredSpec]]:
    """The specs of a ledger that exists, scripts too, the last used first."""
    records, names = yield from ask(together(StoredSpecs(ledger_bucket), BucketsNow()))
    return (yield from stored_of(records, names, ledger_bucket))


def stored_of(
    records: Sequence[SpecRecord],
    names: BucketNames,
    ledger_bucket: str,
    *,
    near: Sequence[SpecRecord] | None = None,
) -> Steps[list[StoredSpec]]:
    """The specs of some records, with all buckets as they are called now.

    :param names: as the server lists them
    :param near: those whose buckets are looked up when the list lacks them; None: all
    """
    looked_up = records if near is None else near
    names = yield from present_buckets(names, buckets_lacking(looked_up, names))
    found = decode_specs(records, names)
    # a ledger that was renamed is not called what its own records say
    return [
        StoredSpec(name, spec_hash, {**values, LEDGER: ledger_bucket} if LEDGER in values else values)
        for name, spec_hash, values in found
    ]


def rollups_in_force(stored: Iterable[StoredSpec]) -> dict[str, RollupSpec]:
    """The newest spec of each rollup, by the pipeline's name.

    :param stored: the last used first
    """
    return {one.pipeline: one.rollup() for one in newest_of_each(stored)}


def newest_of_each(stored: Iterable[StoredSpec]) -> list[StoredSpec]:
    """The newest spec of each rollup.

    :param stored: the last used first
    """
    newest: dict[str, StoredSpec] = {}
    for one in stored:
        if not one.is_script:
            newest.setdefault(one.pipeline, one)
    return list(newest.values())


def present_names(stored: Sequence[StoredSpec]) -> dict[str, str]:
    """The ledger's names of pipelines that would get another one now, by that other one.

    Their names were made of those of their buckets, which were renamed since.
    """
    made = {}
    # only what was renamed: a ledger may know a thousand pipelines, and each run does this
    known = [one for one in newest_of_each(stored) if one.values.get("known_as") is not None]
    for one in known:
        now = replace(one.rollup(), known_as=None).pipeline_name
        made.update({} if now == one.pipeline else {now: one.pipeline})
    return made


def known_name(name: str, stored: Sequence[StoredSpec]) -> str:
    """A pipeline's name in the ledger: a default name may be made of names that its buckets had.

    :param stored: what the ledger has
    """
    return name if any(one.pipeline == name for one in stored) else present_names(stored).get(name, name)


def find_pipeline(name: str, ledger_bucket: str, stored: Sequence[StoredSpec]) -> RollupSpec:
    """The spec in force of a pipeline.

    :param stored: what the ledger has
    :raises ConfigurationError: when the ledger does not know it, naming similar ones, or when it is a script
    """
    found = rollups_in_force(stored).get(known_name(name, stored))
    if found is not None:
        return found
    if any(one.pipeline == name for one in stored):
        what = f"pipeline {name!r} is a script of its own, whose rows only the script can compute again"
        fix = "run its windows again: a rerun makes them right"
        raise ConfigurationError(what, written="nothing", fix=fix)
    known = sorted({one.pipeline for one in stored})
    similar = get_close_matches(name, known, n=MAX_NAMES, cutoff=0.4) or known[:MAX_NAMES]
    what = f"the ledger {ledger_bucket!r} knows no pipeline {name!r}"
    fix = f"name one of it, such as {', '.join(map(repr, similar))}" if similar else "run the pipeline once"
    raise ConfigurationError(what, written="nothing", fix=fix)


def children_of(spec: RollupSpec, pipelines: Mapping[str, RollupSpec]) -> list[RollupSpec]:
    """The pipelines that read the target of another one, by name.

    :param spec: the one that is read
    :param pipelines: the specs in force, by name
    """
    return [
        other
        for name, other in sorted(pipelines.items())
        if name != spec.pipeline_name and (other.source_tier == spec.pipeline_name or _reads(other, spec))
    ]


def parents_of(spec: RollupSpec, pipelines: Mapping[str, RollupSpec]) -> list[RollupSpec]:
    """The pipelines whose target a pipeline reads, by name."""
    return [
        other
        for name, other in sorted(pipelines.items())
        if name != spec.pipeline_name and (spec.source_tier == name or _reads(spec, other))
    ]


def _reads(spec: RollupSpec, other: RollupSpec) -> bool:
    place = (other.target_bucket, other.output_measurement)
    return spec.source_tier in (None, "auto") and (spec.source_bucket, spec.measurement) == place
