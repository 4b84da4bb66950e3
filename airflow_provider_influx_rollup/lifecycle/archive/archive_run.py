"""One run of an archive: what is archived, by whom, by which clock and software."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class ArchiveRun:
    """Context shared by all parts of an archive.

    :param spec: with the folder that the bucket has
    :param info: who runs it, for the ledger and the manifests
    :param now: the clock, aware UTC
    :param versions: of the software, for the manifests
    """

    spec: ArchiveSpec
    info: RunInfo
    now: Clock
    versions: Mapping[str, str]
