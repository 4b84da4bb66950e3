"""Rows of whole windows in the target, as they were read last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Codes, TagSet
from airflow_provider_influx_rollup.lifecycle.reconcile.read import Findings, of_windows
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetRows, WindowTotals
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class TargetState:
    """The rows of some windows.

    :param stored: what the target holds
    :param points: source points of each series and window, by field
    """

    job: RollupBlock
    stored: TargetRows
    points: TargetRows

    @classmethod
    def of(cls, findings: Findings, job: RollupBlock) -> TargetState:
        """The rows that were read of some windows.

        :param job: of windows that were looked at
        """
        renumber = _renumber(findings.job.windows, job.windows)
        stored, points = (_moved(rows, renumber) for rows in (findings.stored, findings.points))
        return cls(job, stored, points)

    def totals(self) -> list[WindowTotals]:
        """Rows, series and checksum of each window."""
        return self.stored.totals(self.job)

    def rows_in(self) -> list[int]:
        """Source points of each window."""
        counts = np.zeros(len(self.job.windows), np.int64)
        for column in self.points.columns.values():
            np.add.at(counts, column.window, column.values.astype(np.int64))
        return [int(count) for count in counts]

    def still_there(self, window: Interval, gained: Mapping[TagSet, int]) -> dict[TagSet, int]:
        """Those of some series that have points in a window, as it was read last: others may have been erased since.

        :param gained: a number by series
        """
        place = self.job.windows.index(window)
        there = {
            self.points.tag_sets[number]
            for column in self.points.columns.values()
            for number in column.series[column.window == place].tolist()
        }
        return {tags: number for tags, number in gained.items() if tags in there}


def _renumber(windows: Sequence[Interval], chosen: Sequence[Interval]) -> Codes:
    """The place of each window among the chosen ones; -1 for the others."""
    places = {window: place for place, window in enumerate(chosen)}
    return np.array([places.get(window, -1) for window in windows], np.int64)


def _moved(rows: TargetRows, renumber: Codes) -> TargetRows:
    kept = of_windows(rows, np.flatnonzero(renumber >= 0).tolist(), len(renumber))
    columns = {name: replace(c, window=renumber[c.window]) for name, c in kept.columns.items()}
    return replace(kept, columns=columns)
