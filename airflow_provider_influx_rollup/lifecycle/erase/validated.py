"""Copies that validations made of the points: found in the ledger, so that they need not be named."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.erase import CopiesRecords
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.present_buckets import present_buckets
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.all_time import EVER


def find_validated(spec: EraseSpec) -> Steps[tuple[EraseSpec, dict[str, str]]]:
    """Add the copies that the ledger knows.

    :return: what is to be erased, and why copies are left alone, by validation
    """
    archive = spec.archive
    if (yield from ask(FindBucket(archive.ledger_bucket))) is None:
        return spec, {}
    tags = {"measurement": archive.measurement}
    copies, listed = yield from ask(together(CopiesRecords(archive.ledger_bucket, tags, EVER), BucketsNow()))
    names = yield from present_buckets(listed, (place for record in copies for place in record.buckets))
    found: set[tuple[str, str]] = set()
    left: dict[str, str] = {}
    for record in copies:
        copied = record.present(names)
        if copied.source_bucket != archive.bucket or (yield from ask(FindBucket(copied.bucket))) is None:
            continue
        changed = sorted(set(copied.changed_tags) & set(spec.tags))
        if changed:
            left[f"validation {copied.validation}"] = (
                f"its points in {copied.bucket}/{copied.measurement} have another {changed[0]!r}: erase them there by the "
                "tags that they have"
            )
        else:
            found.add((copied.bucket, copied.measurement))
    named = {(bucket, archive.measurement) for bucket in spec.quarantine_buckets}
    return replace(spec, copies=tuple(sorted(found - named))), left
