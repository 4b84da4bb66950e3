"""The target of a block of windows as it was read back: rows by window, owner and series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Codes, Frame, TagSet
from airflow_provider_influx_rollup.aggregates.windowed import Block
from airflow_provider_influx_rollup.ledger.fingerprint import (
    checksums_by_group,
    hash_texts,
    row_hashes,
    tag_set_hash,
)
from airflow_provider_influx_rollup.lifecycle.job import Job

if TYPE_CHECKING:
    from numpy.typing import NDArray

Key = tuple[TagSet, int]


@dataclass(frozen=True, slots=True)
class WindowTotals:
    """What the target holds of one window."""

    rows_out: int
    series: int
    checksum: str


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """The rows of one field of the target that lie on a window's start.

    :param window: index of the window of each row
    """

    name: str
    tag_sets: list[TagSet]
    series: Codes
    window: Codes
    time_ns: Codes
    values: NDArray[Any]

    def keys(self) -> set[Key]:
        """The ``(tag set, window)`` pairs that have a value."""
        return {
            (self.tag_sets[series], window)
            for series, window in zip(self.series.tolist(), self.window.tolist(), strict=True)
        }


@dataclass(frozen=True, slots=True)
class TargetRows:
    """The rows of a pipeline in its target.

    :param columns: by field name; only fields the pipeline's rules can write
    :param off_grid: how many rows lie on no window's start
    """

    columns: dict[str, TargetColumn]
    off_grid: int

    def totals(self, job: Job) -> list[WindowTotals]:
        """Rows, series and checksum of each window."""
        count = len(job.windows)
        rows_out = np.zeros(count, np.int64)
        checksums = [0] * count
        series: list[set[TagSet]] = [set() for _ in range(count)]
        for column in self.columns.values():
            rows_out += np.bincount(column.window, minlength=count)
            hashes = self._hashes(job, column)
            for window, checksum in enumerate(checksums_by_group(hashes, column.window, count)):
                checksums[window] = (checksums[window] + int(checksum, 16)) % 2**64
            for pair in np.unique(column.series * count + column.window).tolist():
                series[pair % count].add(column.tag_sets[pair // count])
        return [
            WindowTotals(int(rows), len(seen), f"{checksum:016x}")
            for rows, seen, checksum in zip(rows_out, series, checksums, strict=True)
        ]

    @staticmethod
    def _hashes(job: Job, column: TargetColumn) -> NDArray[np.uint64]:
        measurement = job.spec.output_measurement
        by_tag_set = np.array([tag_set_hash(measurement, dict(tags)) for tags in column.tag_sets], np.uint64)
        field = np.repeat(hash_texts([column.name], "field"), len(column.values))
        return row_hashes(by_tag_set[column.series], field, column.time_ns, column.values)


def target_rows(job: Job, frames: Iterable[Frame]) -> TargetRows:
    """Sort what a target query returned into the job's windows and columns."""
    rules = job.spec.rules()
    starts = np.array([window.start_ns for window in job.windows], np.int64)
    columns: dict[str, TargetColumn] = {}
    off_grid = 0
    for frame in frames:
        for name in frame.fields:
            if not rules.owns(name):
                continue
            points = _in_scope(job, frame.of_field(name))
            window = np.searchsorted(starts, points.time_ns)
            on_grid = starts[np.minimum(window, len(starts) - 1)] == points.time_ns
            off_grid += int((~on_grid).sum())
            kept = points.where(on_grid)
            columns[name] = TargetColumn(
                name, kept.tag_sets, kept.series, window[on_grid], kept.time_ns, kept.values
            )
    return TargetRows({name: column for name, column in columns.items() if len(column.values)}, off_grid)


def _in_scope(job: Job, points: Frame) -> Frame:
    """Rows of a merge have no other tags than those of ``group_by``; rows with more belong to someone else."""
    if job.spec.group_by is None:
        return points
    allowed = frozenset(job.spec.group_by)
    fits = np.array([all(key in allowed for key, _ in tag_set) for tag_set in points.tag_sets], bool)
    return points.where(fits[points.series])


def block_keys(blocks: Iterable[Block]) -> set[Key]:
    """The ``(tag set, window)`` pairs of computed columns."""
    return {
        (block.tag_sets[series], window)
        for block in blocks
        for series, window in zip(block.series.tolist(), block.window.tolist(), strict=True)
    }
