"""The target of a block of windows as it was read back: rows by window, owner and series."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.long_keys import key_bytes, most_bytes_beside

if TYPE_CHECKING:
    from numpy.typing import NDArray

Key = tuple[TagSet, int]


@dataclass(frozen=True, slots=True)
class WindowTotals:
    """Rows of one window in the target."""

    rows_out: int
    series: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def where(self, is_wanted: NDArray[Any]) -> TargetColumn:
        """Only some rows."""
        return replace(
            self,
            series=self.series[is_wanted],
            window=self.window[is_wanted],
            time_ns=self.time_ns[is_wanted],
            values=self.values[is_wanted],
        )

    def keys(self) -> set[Key]:
        """The ``(tag set, window)`` pairs that have a value."""
        return {
            (self.tag_sets[series], window)
            for series, window in zip(self.series.tolist(), self.window.tolist(), strict=True)
        }


@dataclass(frozen=True, slots=True)
class TargetRows:
    """The rows of a pipeline in its target.

    :param tag_sets: the tag sets that all columns' series point into
    :param columns: by field name; only fields the pipeline's rules can write
    :param off_grid: how many rows lie on no window's start
    :param too_long: by column, the windows of computed rows that are left out, as InfluxDB holds no key so long
    """

    tag_sets: list[TagSet]
    columns: dict[str, TargetColumn]
    off_grid: int
    too_long: Mapping[str, set[int]] = field(default_factory=dict)

    def keys(self) -> dict[str, set[Key]]:
        """The ``(tag set, window)`` pairs that have a value, by column."""
        return {name: column.keys() for name, column in self.columns.items()}

    def at(self, keys: Collection[Key]) -> TargetRows:
        """Only the rows of some series and windows."""
        numbers = {tags: number for number, tags in enumerate(self.tag_sets)}
        count = 1 + max((window for _, window in keys), default=0)
        wanted = [numbers[tags] * count + window for tags, window in keys if tags in numbers]
        columns = {}
        for name, column in self.columns.items():
            is_known = column.window < count
            kept = np.flatnonzero(is_known & np.isin(column.series * count + column.window, wanted))
            if len(kept):
                columns[name] = column.where(kept)
        return replace(self, columns=columns)

    def totals(self, job: RollupBlock) -> list[WindowTotals]:
        """Rows, series and checksum of each window."""
        count = len(job.windows)
        if not self.columns:
            return [WindowTotals(0, 0, f"{0:016x}")] * count
        columns = list(self.columns.values())
        window = np.concatenate([column.window for column in columns])
        series = np.concatenate([column.series for column in columns])
        checksums = checksums_by_group(self._hashes(job, columns), window, count)
        rows_out = np.bincount(window, minlength=count)
        series_out = np.bincount(np.unique(series * count + window) % count, minlength=count)
        return [
            WindowTotals(int(rows), int(tag_sets), checksum)
            for rows, tag_sets, checksum in zip(rows_out, series_out, checksums, strict=True)
        ]

    def _hashes(self, job: RollupBlock, columns: Sequence[TargetColumn]) -> NDArray[np.uint64]:
        measurement = job.spec.output_measurement
        by_series = np.array([tag_set_hash(measurement, dict(tags)) for tags in self.tag_sets], np.uint64)
        by_field = hash_texts([column.name for column in columns], "field")
        return np.concatenate(
            [
                row_hashes(
                    by_series[column.series],
                    np.repeat(field_hash, len(column.values)),
                    column.time_ns,
                    column.values,
                )
                for column, field_hash in zip(columns, by_field, strict=True)
            ]
        )


def target_rows(job: RollupBlock, frames: Iterable[Frame]) -> TargetRows:
    """Sort what a target query returned into the job's windows and columns."""
    starts = np.array([window.start_ns for window in job.windows], np.int64)
    tag_sets: dict[TagSet, int] = {}
    columns: dict[str, TargetColumn] = {}
    off_grid = 0
    for frame in frames:
        renumber = np.array([tag_sets.setdefault(tags, len(tag_sets)) for tags in frame.tag_sets], np.int64)
        for name in frame.fields:
            if not job.ownership.owns_field(name):
                continue
            points = _in_scope(job, name, frame.of_field(name))
            window = np.searchsorted(starts, points.time_ns)
            on_grid = starts[np.minimum(window, len(starts) - 1)] == points.time_ns
            off_grid += int((~on_grid).sum())
            kept = points.where(on_grid)
            if len(kept):
                series = renumber[kept.series]
                columns[name] = TargetColumn(
                    name=name,
                    tag_sets=[],
                    series=series,
                    window=window[on_grid],
                    time_ns=kept.time_ns,
                    values=kept.values,
                )
    shared = list(tag_sets)
    columns = {name: replace(column, tag_sets=shared) for name, column in columns.items()}
    return TargetRows(shared, columns, off_grid)


def computed_rows(job: RollupBlock, blocks_by_column: Mapping[str, Sequence[Block]]) -> TargetRows:
    """The computed rows, in the form of those that are read back."""
    starts = np.array([window.start_ns for window in job.windows], np.int64)
    tag_sets: dict[TagSet, int] = {}
    columns: dict[str, TargetColumn] = {}
    for name, blocks in blocks_by_column.items():
        filled = [block for block in blocks if len(block.values)]
        if not filled:
            continue
        renumbered = [
            np.array([tag_sets.setdefault(tags, len(tag_sets)) for tags in block.tag_sets], np.int64)[
                block.series
            ]
            for block in filled
        ]
        window = np.concatenate([block.window for block in filled])
        values = np.concatenate([block.values for block in filled])
        columns[name] = TargetColumn(
            name=name,
            tag_sets=[],
            series=np.concatenate(renumbered),
            window=window,
            time_ns=starts[window],
            values=values,
        )
    shared = list(tag_sets)
    columns = {name: replace(column, tag_sets=shared) for name, column in columns.items()}
    return _without_long_keys(job.spec.output_measurement, TargetRows(shared, columns, 0))


def _without_long_keys(measurement: str, rows: TargetRows) -> TargetRows:
    sizes = key_bytes(measurement, rows.tag_sets, list(rows.columns))
    if sizes is None:
        return rows
    columns: dict[str, TargetColumn] = {}
    too_long: dict[str, set[int]] = {}
    for name, column in rows.columns.items():
        fits = (sizes <= most_bytes_beside(name))[column.series]
        if not fits.all():
            too_long[name] = set(column.window[~fits].tolist())
        if fits.any():
            columns[name] = column.where(fits)
    return replace(rows, columns=columns, too_long=too_long)


def _in_scope(job: RollupBlock, name: str, points: Frame) -> Frame:
    """Only the rows of the pipeline: those of a merge have no other tags than ``group_by``, others are someone else's."""
    if job.spec.group_by is None and not job.ownership.earlier:
        return points  # the query has kept the tags apart
    fits = np.array([job.ownership.owns(name, tag_set) for tag_set in points.tag_sets], bool)
    return points.where(fits[points.series])


def block_keys(blocks: Iterable[Block]) -> set[Key]:
    """The ``(tag set, window)`` pairs of computed columns."""
    return {
        (block.tag_sets[series], window)
        for block in blocks
        for series, window in zip(block.series.tolist(), block.window.tolist(), strict=True)
    }
