"""Queries that compute a rollup in InfluxDB, chain by chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.aggregates.frame import (
    Frame,
    frame_of_column,
    frames_from_tables,
    result_name,
)
from airflow_provider_influx_rollup.flux.query import ArrowQuery
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource, render_partials, render_rollup
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupChains(ArrowQuery[list[tuple[Chain, Frame]]]):
    """Roll up runs of windows; a chain that is written is written first. The answer has the rows of each chain.

    :param chains: what to compute
    :param runs: runs of equal windows; each becomes one chain per entry of ``chains``
    """

    source: RollupSource
    chains: Sequence[Chain]
    runs: Sequence[EqualRun]
    target_bucket: str
    target_measurement: str

    @property
    def may_write(self) -> bool:
        """Whether InfluxDB writes what it computes."""
        return any(chain.is_written for chain in self.chains)

    def flux(self) -> str:
        return render_rollup(self.source, self.chains, self.runs, self.target_bucket, self.target_measurement)

    def read(self, tables: list[pa.Table]) -> list[tuple[Chain, Frame]]:
        filled = [table for table in tables if table.num_rows]
        chains = [self.chains[int(result_name(table).partition(":")[2])] for table in filled]
        return [
            (chain, frame_of_column(table, chain.value_column))
            for chain, table in zip(chains, filled, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialAggregates(ArrowQuery[dict[str, list[Frame]]]):
    """The partial aggregates of one field per series and cell, by name, to be merged over cells or series.

    :param keeps_times: give ``first`` and ``last`` the time of the point itself, which decides between series, and the
        cell's start in ``_start``; ``aggregateWindow``, which takes half the time, has the cell's start in ``_time``
    """

    source: RollupSource
    runs: Sequence[EqualRun]
    names: Sequence[str]
    field: str
    keeps_times: bool

    def flux(self) -> str:
        return render_partials(self.source, self.runs, self.names, self.field, keeps_times=self.keeps_times)

    def read(self, tables: list[pa.Table]) -> dict[str, list[Frame]]:
        parts: dict[str, list[Frame]] = defaultdict(list)
        for frame in frames_from_tables(tables):
            parts[frame.result.partition(":")[0]].append(frame)
        return parts
