"""Whether tasks of InfluxDB can compute a rollup; a DAG file imports only this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.aggregates.catalog import Source, find_aggregate
from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec


def require_native(spec: RollupSpec) -> None:
    """Refuse a rollup that a worker has to compute.

    :raises ConfigurationError: saying why, and what to do instead
    """
    why, fix = _reason(spec)
    if why:
        what = f'execution="native" is not possible: {why}'
        raise ConfigurationError(what, written="nothing", fix=fix)


def _reason(spec: RollupSpec) -> tuple[str, str]:
    leave_out = "leave execution out"
    if spec.source_tier is not None:
        return "with source_tier rows of the tier below are merged in a worker", leave_out
    if spec.group_by is not None:
        return "with group_by series are merged in a worker", leave_out
    if spec.grid.period is not None:
        return "sliding windows (period) are put together in a worker", leave_out
    if spec.compute == "auto":
        names = spec.aggregates if isinstance(spec.aggregates, tuple) else sum(spec.aggregates.values(), ())
        raw = sorted({name for name in names if find_aggregate(name).source is Source.RAW})
        if raw:
            fix = 'give compute="server" too, so that InfluxDB computes them, or leave execution out'
            return f"{', '.join(raw)} of raw points are computed in a worker", fix
    return "", ""
