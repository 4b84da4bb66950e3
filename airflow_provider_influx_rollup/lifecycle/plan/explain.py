"""What each stage of a lifecycle does, told from its declaration alone: windows, order, and the Flux of its rollups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.aggregates.hierarchy import TierRules
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.flux.query import FluxText
from airflow_provider_influx_rollup.globs import is_glob
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim, Ownership
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.chains import rollup_scripts
from airflow_provider_influx_rollup.lifecycle.rollup.native import native_scripts
from airflow_provider_influx_rollup.lifecycle.rollup.plan import job_of
from airflow_provider_influx_rollup.lifecycle.rollup.tier_compute import tier_scripts
from airflow_provider_influx_rollup.lifecycle.run.options import NATIVE, QUERY
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval
from airflow_provider_influx_rollup.windows.nesting import cells_below

ASSUMED_TYPE = "float"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedRollup:
    """One tier of a lifecycle.

    :param job: its last window that ended
    :param cells: how many windows of the tier below it is made of; 0 for raw points
    :param columns: fields that it writes, as far as they are known
    :param scripts: Flux that InfluxDB computes them with
    :param is_native: whether they are tasks of InfluxDB, else queries
    :param in_worker: fields that are read into the worker and computed there
    :param assumed: globs that stand for fields in the Flux
    """

    job: RollupBlock
    cells: int
    columns: tuple[str, ...]
    scripts: tuple[str, ...]
    is_native: bool
    in_worker: tuple[str, ...]
    assumed: tuple[str, ...]

    @property
    def spec(self) -> RollupSpec:
        """What it does."""
        return self.job.spec

    @property
    def window(self) -> Interval:
        """The last window that ended."""
        return self.job.windows[0]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pipeline": self.spec.pipeline_name,
            "source": self.spec.source_bucket,
            "target": self.spec.target_bucket,
            "every": self.spec.grid.label,
            "window": self.window.as_json(),
            "windows_below": self.cells,
            "columns": list(self.columns),
            "flux": list(self.scripts),
            "execution": NATIVE if self.is_native else QUERY,
            "in_worker": list(self.in_worker),
            "assumed_fields": list(self.assumed),
        }


def explain_rollups(
    lifecycle: Lifecycle, now: datetime, types: Mapping[str, str] | None = None
) -> list[ExplainedRollup]:
    """Tell the tiers of one measurement, from the finest to the coarsest.

    :param now: aware UTC; the windows are the last ones that ended before
    :param types: type of each field of the raw points; None when no server was asked: fields that are not named are told
        as the globs that stand for them, and all are taken for numbers
    """
    specs = lifecycle.specs()
    windows = {spec.pipeline_name: last_window(spec.grid.grid(), now) for spec in specs}
    tiers = zip(specs, lifecycle.tiers, strict=True)
    native = {spec.pipeline_name for spec, tier in tiers if tier.options().is_native}
    return explain_chain(specs, windows, types, native)


def explain_chain(
    specs: Sequence[RollupSpec],
    windows: Mapping[str, Interval],
    types: Mapping[str, str] | None = None,
    native: Collection[str] = (),
) -> list[ExplainedRollup]:
    """Tell rollups that are made of each other, each by one of its windows.

    :param specs: the first reads raw points, and each other one the one before
    :param windows: by the pipeline's name; a pipeline without one is not told of
    :param types: as ``explain_rollups``
    :param native: names of pipelines that tasks of InfluxDB compute
    """
    told: list[ExplainedRollup] = []
    rules: AggregateRules | TierRules
    below: RollupSpec | None = None
    known = types
    for spec in specs:
        if below is None:
            rules = spec.rules()
            known = _assumed(rules) if types is None else types
        else:
            rules = TierRules(spec.rules(), below.rules(), below.pipeline_name)
        window = windows.get(spec.pipeline_name)
        if window is not None:
            job = _job_of(spec, rules, known or {}, window)
            told.append(_explained(job, below, known or {}, is_native=spec.pipeline_name in native))
        known = {column.name: column.field_type for column in _columns(rules, known or {})}
        below = spec
    return told


def last_window(grid: Grid, now: datetime) -> Interval:
    """The last window that has ended."""
    stop = grid.floor(now)
    return grid.windows(Interval(grid.floor(stop - MICROSECOND), stop))[0]


def _assumed(rules: AggregateRules) -> dict[str, str]:
    return {name: ASSUMED_TYPE for name, names in rules.rules if names}


def _columns(rules: AggregateRules | TierRules, types: Mapping[str, str]) -> Sequence[Any]:
    return rules.select({name: kind for name, kind in types.items() if rules.names_for(name)}).columns


def _job_of(
    spec: RollupSpec, rules: AggregateRules | TierRules, types: Mapping[str, str], window: Interval
) -> RollupBlock:
    selection = rules.select({name: kind for name, kind in types.items() if rules.names_for(name)})
    return job_of(spec, (window,), selection, Ownership(Claim.of(spec)))


def _explained(
    job: RollupBlock, below: RollupSpec | None, types: Mapping[str, str], *, is_native: bool
) -> ExplainedRollup:
    (window,) = job.windows
    in_influx, *others = job.fields_by_way()
    queries: Sequence[FluxText] = rollup_scripts(job, in_influx) if below is None else tier_scripts(job)
    scripts = native_scripts(job, in_influx) if is_native else [script.flux() for script in queries]
    return ExplainedRollup(
        job=job,
        cells=0 if below is None else len(cells_below(below.grid.grid(), window)),
        columns=tuple(column.name for column in job.columns),
        scripts=tuple(scripts),
        is_native=is_native,
        in_worker=tuple(name for some in others for name in some),
        assumed=tuple(name for name in types if below is None and is_glob(name)),
    )
