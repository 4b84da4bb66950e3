"""One run of a compaction: what is compacted, by whom, by which clock and software."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class CompactRun:
    """Context shared by all parts of a compaction.

    :param spec: with the folder that the bucket has
    :param info: who runs it, for the manifests
    :param now: the clock, aware UTC
    :param versions: of the software, for the manifests
    """

    spec: CompactSpec
    info: RunInfo
    now: Clock
    versions: Mapping[str, str]
