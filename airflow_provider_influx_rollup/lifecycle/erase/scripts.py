"""Scripts that may have read what is erased, or what was made of it: their rows stay, and the certificate says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.exceptions import InfluxRejected
from airflow_provider_influx_rollup.flux.script import script_facts
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.targets import SCRIPT, Readers
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.reads import ScriptReads, may_read, text_of
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Gather, ParseScript
from airflow_provider_influx_rollup.steps.step import Steps


def with_scripts(readers: Readers, spec: EraseSpec, stored: Sequence[StoredSpec]) -> Steps[Readers]:
    """The readers, and the scripts that may read the measurement, a copy of it, or rows of these readers.

    :param stored: the specs of the ledger
    """
    scripts = [one for one in stored if isinstance(one.values.get("script"), str)]
    named = {one.pipeline for one in scripts if _names_source(spec, one)}
    others = [one for one in scripts if one.pipeline not in named]
    if others:
        places = sorted({*spec.sources, *(one.place for one in readers.chosen)})
        buckets = sorted({bucket for bucket, _ in places})
        found = yield from ask(Gather(tuple(FindBucket(name) for name in buckets)))
        ids = {name: one.id for name, one in zip(buckets, found, strict=True) if one is not None}
        for one in others:
            reads = yield from _reads(spec, one)
            if reads is None or any(
                reads.may_read(measurement, bucket, ids[bucket])
                for bucket, measurement in places
                if bucket in ids
            ):
                named.add(one.pipeline)
    return replace(readers, left={**readers.left, **dict.fromkeys(sorted(named), SCRIPT)})


def _names_source(spec: EraseSpec, script: StoredSpec) -> bool:
    """Whether its text alone says that it may read the measurement."""
    whole = text_of(script.values["script"], script.values.get("params"))
    return spec.archive.bucket in whole and may_read(whole, spec.archive.measurement)


def _reads(spec: EraseSpec, script: StoredSpec) -> Steps[ScriptReads | None]:
    """What a script reads; None when the server cannot tell any more."""
    text, params = script.values["script"], script.values.get("params")
    try:
        facts = script_facts((yield from ask(ParseScript(text))), params)
    except (InfluxRejected, RecursionError):
        return None
    return ScriptReads.of(spec.archive.ledger_bucket, facts, text, params)
