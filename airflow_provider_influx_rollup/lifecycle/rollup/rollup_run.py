"""One run of a rollup: what is rolled up, by whom, by which clock and how."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class RollupRun:
    """Context shared by all parts of a rollup.

    :param spec: as it was asked for; the ledger may know it under older names
    :param info: who runs it, for the ledger
    :param now: the clock, aware UTC
    :param options: healing, checkpoints, and what an error of one window does
    """

    spec: RollupSpec
    info: RunInfo
    now: Clock
    options: RollupOptions
