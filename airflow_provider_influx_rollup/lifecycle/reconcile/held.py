"""Rows of whole windows in the target, kept up to date while some of them are written and read back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Codes, TagSet
from airflow_provider_influx_rollup.lifecycle.reconcile.read import Findings, filtered, of_windows
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetColumn, TargetRows, WindowTotals
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

    def patched(self, look: Findings, only: Collection[TagSet]) -> TargetState:
        """The rows after a second look at some series.

        :param look: of the same windows
        :param only: the series that it was about
        """
        stored = _joined(_without(self.stored, only), look.stored)
        return replace(self, stored=stored, points=_joined(_without(self.points, only), look.points))

    def totals(self) -> list[WindowTotals]:
        """Rows, series and checksum of each window."""
        return self.stored.totals(self.job)

    def rows_in(self) -> list[int]:
        """Source points of each window."""
        counts = np.zeros(len(self.job.windows), np.int64)
        for column in self.points.columns.values():
            np.add.at(counts, column.window, column.values.astype(np.int64))
        return [int(count) for count in counts]


def _renumber(windows: Sequence[Interval], chosen: Sequence[Interval]) -> Codes:
    """The place of each window among the chosen ones; -1 for the others."""
    places = {window: place for place, window in enumerate(chosen)}
    return np.array([places.get(window, -1) for window in windows], np.int64)


def _moved(rows: TargetRows, renumber: Codes) -> TargetRows:
    kept = of_windows(rows, np.flatnonzero(renumber >= 0).tolist(), len(renumber))
    columns = {name: replace(c, window=renumber[c.window]) for name, c in kept.columns.items()}
    return replace(kept, columns=columns)


def _without(rows: TargetRows, series: Collection[TagSet]) -> TargetRows:
    kept = np.array([tags not in series for tags in rows.tag_sets], bool)
    return filtered(rows, lambda column: kept[column.series])


def _joined(left: TargetRows, right: TargetRows) -> TargetRows:
    """The rows of both, which have no row in common."""
    numbers: dict[TagSet, int] = {}
    parts: dict[str, list[TargetColumn]] = {}
    for rows in (left, right):
        renumber = np.array([numbers.setdefault(tags, len(numbers)) for tags in rows.tag_sets], np.int64)
        for name, column in rows.columns.items():
            parts.setdefault(name, []).append(replace(column, series=renumber[column.series]))
    shared = list(numbers)
    columns = {
        name: TargetColumn(
            name=name,
            tag_sets=shared,
            series=np.concatenate([column.series for column in some]),
            window=np.concatenate([column.window for column in some]),
            time_ns=np.concatenate([column.time_ns for column in some]),
            values=np.concatenate([column.values for column in some]),
        )
        for name, some in parts.items()
    }
    return TargetRows(shared, columns, 0)
