"""One run of a purge: what is purged, by whom, by which clock, and by the specs of which pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.signing_key import SigningKey
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeRun:
    """Context shared by all parts of a purge.

    :param spec: with the folder that the bucket has
    :param info: who runs it, for the ledger and the certificates
    :param now: the clock, aware UTC
    :param stored: the specs of the ledger, the last used first
    :param key: signs the certificates; None leaves them unsigned
    :param dry_run: write and delete nothing
    """

    spec: PurgeSpec
    info: RunInfo
    now: Clock
    stored: Sequence[StoredSpec]
    key: SigningKey | None
    dry_run: bool
