"""Pipelines that may hold the series: what they read is not there under its name."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import rollups_in_force
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Gather, Report
from airflow_provider_influx_rollup.steps.step import Steps

WHY = (
    "it reads measurement {measurement!r} of bucket {bucket!r}, which is not there or may not be read: if that is this "
    "bucket by an earlier name, run the pipeline once with the name of now, and erase again"
)


NOT_LOOKED_FOR = (
    "which pipelines hold the series is not known, and none was looked at; rows of pipelines that another ledger knows are "
    "still there: erase again with that ledger; when there are no pipelines at all, say so (pipelines=[], or --no-pipelines)"
)
NO_LEDGER = f"there is no such bucket, or the token may not read it: {NOT_LOOKED_FOR}"
NO_PIPELINE = f"it knows no pipeline: {NOT_LOOKED_FOR}"


def no_pipelines(ledger_bucket: str, *, has_ledger: bool) -> Steps[dict[str, str]]:
    """What is to be told where no pipeline is known: a mistyped ledger is empty, and so is one that only archives use.

    :param has_ledger: whether there is a bucket of that name
    """
    why = NO_PIPELINE if has_ledger else NO_LEDGER
    yield from ask(Report(f"ledger {ledger_bucket!r}: {why}", "warning"))
    return {f"any of ledger {ledger_bucket!r}": why}


def unknown_readers(spec: EraseSpec, stored: Sequence[StoredSpec]) -> Steps[dict[str, str]]:
    """The pipelines that read the same measurement of a bucket which is not there, with the reason.

    A record of before there were ids does not follow its bucket.

    :param stored: the specs of the ledger, the last used first
    """
    sources = {
        name: rollup.source_bucket
        for name, rollup in rollups_in_force(stored).items()
        if rollup.measurement == spec.archive.measurement
        and (rollup.source_bucket, rollup.measurement) not in spec.sources
    }
    buckets = sorted(set(sources.values()))
    found = (yield from ask(Gather(tuple(FindBucket(name) for name in buckets)))) if buckets else []
    gone = {name for name, bucket in zip(buckets, found, strict=True) if bucket is None}
    return {
        name: WHY.format(measurement=spec.archive.measurement, bucket=bucket)
        for name, bucket in sources.items()
        if bucket in gone
    }
