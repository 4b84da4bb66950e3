"""A field that its measurement does not have: not yet there, or mistyped."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.field_names import FieldNames
from airflow_provider_influx_rollup.globs import is_glob
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_NAMES = 5
CUTOFF = 0.5
# a slip of the fingers, not another name
MISSPELT = 0.75


def unknown_fields(
    spec: RollupSpec, rewritten: Sequence[AggregateRules] = (), window: Interval | None = None
) -> Steps[str | None]:
    """Say which fields and globs of a rollup of raw points stand for nothing, and which fields are near; None when none does.

    A measurement without any field is not looked at: it has no points either.

    :param spec: its bucket must exist
    :param rewritten: of the earlier specs that windows of the run were committed under
    :param window: of the run, for messages
    :raises ConfigurationError: when a field that does not exist is near one that these rolled up and that is asked for no more
    """
    known = yield from ask(FieldNames(spec.source_bucket, spec.measurement))
    unmatched = spec.rules().unmatched(known)
    if not known or not unmatched:
        return None
    _refuse_misspelt(spec, unmatched, [name for name in known if _is_lost(spec, name, rewritten)], window)
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


def _is_lost(spec: RollupSpec, name: str, rewritten: Sequence[AggregateRules]) -> bool:
    return not spec.rules().names_for(name) and any(rules.names_for(name) for rules in rewritten)


def _refuse_misspelt(
    spec: RollupSpec, unmatched: Sequence[str], lost: Sequence[str], window: Interval | None
) -> None:
    """A run that computes nothing of a field and removes the rows of one whose name is near."""
    for asked in unmatched:
        near = [] if is_glob(asked) else get_close_matches(asked, lost, n=1, cutoff=MISSPELT)
        if near:
            what = (
                f"measurement {spec.measurement!r} of bucket {spec.source_bucket!r} has no field {asked!r}, and this run would "
                f"remove the rows that an earlier version of the spec made of {near[0]!r}"
            )
            fix = f"correct the name; or leave {asked!r} out until it has points, and the rows of {near[0]!r} are removed"
            raise ConfigurationError(what, window=window, written="nothing", fix=fix)
