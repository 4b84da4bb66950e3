"""What a step sends to InfluxDB as Flux: a query of the package, or a user's script."""

from __future__ import annotations

from typing import Any

from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.flux.query import FluxText
from airflow_provider_influx_rollup.steps.influx import Gather, Query


def flux_of(step: Any) -> str:
    """The Flux of a step; empty when it has none."""
    if isinstance(step, Gather):
        return "\n\n".join(filter(None, map(flux_of, step.steps)))
    if isinstance(step, FluxText):
        return step.flux()
    return step.flux if isinstance(step, Query) else ""


def kind_of(step: Any) -> str:
    """The name of a step's class; all that only read by Flux have the same one."""
    is_reading = isinstance(step, FluxText | Query) and not is_writing(step)
    return "Query" if is_reading else type(step).__name__


def is_writing(step: Any) -> bool:
    """Whether InfluxDB computes and writes."""
    return isinstance(step, RollupChains) and step.may_write
