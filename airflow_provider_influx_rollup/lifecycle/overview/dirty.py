"""Windows that differ from their source, found now."""

from __future__ import annotations

from typing import Any

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile import reconcile_pipeline
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileOptions, ReconcileSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


def dirty_windows(spec: RollupSpec, interval: Interval, now: Clock) -> Steps[dict[str, Any]]:
    """Compare the windows of one pipeline with their source, and write nothing.

    :param interval: must be tiled exactly by the grid
    :param now: the clock, aware UTC
    """
    asked = ReconcileSpec(
        rollup=spec,
        ledger_bucket=spec.ledger_bucket,
        cascade=False,
        options=ReconcileOptions("plan", None, None),
    )
    result = yield from reconcile_pipeline(asked, interval, RunInfo(run_id="windows page"), now)
    return {
        "pipeline": spec.pipeline_name,
        "interval": interval.as_json(),
        "compared": result.windows,
        "dirty": [
            {
                "window": change.window.as_json(),
                "reasons": [reason.value for reason in change.reasons],
                "series": change.series,
            }
            for change in result.dirty
        ],
    }
