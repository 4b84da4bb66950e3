"""One run of a reconcile: which pipeline, by whom, by which clock and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileOptions
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo

REPAIR_ALL = ReconcileOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRun:
    """Context shared by all parts of one pipeline's reconcile.

    :param info: who runs it, for the ledger
    :param now: the clock, aware UTC
    :param stored: the specs of the ledger, the last used first
    """

    spec: RollupSpec
    info: RunInfo
    now: Clock
    stored: Sequence[StoredSpec]
    options: ReconcileOptions = REPAIR_ALL
