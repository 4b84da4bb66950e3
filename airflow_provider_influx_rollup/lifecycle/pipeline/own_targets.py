"""Refuse a lifecycle whose tiers would write what other pipelines of the ledger write, before anything of it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.conflicts import clashing_with, newest_specs
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import MEASUREMENT_IN_NAME
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.step import Steps

MAX_NAMED = 3


def require_own_targets(specs: Sequence[RollupSpec]) -> Steps[None]:
    """Look in the ledger for pipelines of other names that write the same values of a target.

    :param specs: the rollups of a lifecycle, which have one ledger
    :raises ConfigurationError: naming them, and how a tier keeps the name that it had
    """
    stored = yield from load_stored(specs[0].ledger_bucket)
    told: list[str] = []
    advice = ""
    for spec in (as_known(one, stored) for one in specs):
        newest = newest_specs(spec, stored)
        name = clashing_with(spec, newest)
        if name is not None:
            told.append(f"{spec.pipeline_name!r} those of {name!r}")
            advice = advice or _advice(spec, name, newest[name])
    if told:
        what = f"tiers would write the fields of other pipelines of the ledger: {few(told, MAX_NAMED, between=', ')}"
        raise ConfigurationError(what, written="nothing", fix=advice)


def _advice(spec: RollupSpec, name: str, other: RollupSpec) -> str:
    elsewhere = f"give the tier of bucket {spec.target_bucket!r} another bucket"
    if spec.grid.grid() != other.grid.grid():
        return elsewhere
    of_any = replace(other, measurement=MEASUREMENT_IN_NAME, target_measurement=None, known_as=None)
    had = of_any.pipeline_name if replace(other, known_as=None).pipeline_name == name else name
    return f"let that tier keep its name, with name: {had!r}, or {elsewhere}"
