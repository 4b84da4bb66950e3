"""A field that its measurement does not have: not yet there, or mistyped."""

from __future__ import annotations

from difflib import get_close_matches

from airflow_provider_influx_rollup.flux.field_names import FieldNames
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps

MAX_NAMES = 5
CUTOFF = 0.5


def unknown_fields(spec: RollupSpec) -> Steps[str | None]:
    """Say which fields and globs of a rollup of raw points stand for nothing, and which fields are near; None when none does.

    A measurement without any field is not looked at: it has no points either.

    :param spec: its bucket must exist
    """
    known = yield from ask(FieldNames(spec.source_bucket, spec.measurement))
    unmatched = spec.rules().unmatched(known)
    if not known or not unmatched:
        return None
    asked = ", ".join(map(repr, unmatched))
    near = {
        name: None
        for glob in unmatched
        for name in get_close_matches(glob.strip("*?"), known, n=MAX_NAMES, cutoff=CUTOFF)
    }
    told = few([repr(name) for name in near or known], MAX_NAMES, between=", ")
    return (
        f"measurement {spec.measurement!r} of bucket {spec.source_bucket!r} has no field {asked}, "
        f"of which nothing is rolled up; it has {told}"
    )
