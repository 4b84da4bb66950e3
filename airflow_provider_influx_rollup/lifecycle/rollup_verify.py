"""Read the target back, compare it with the source, and remove rows that the source no longer explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.catalog import Source
from airflow_provider_influx_rollup.aggregates.frame import frames_from_tables
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.windowed import Block
from airflow_provider_influx_rollup.flux.source_read import counts_query, field_totals_query
from airflow_provider_influx_rollup.flux.target_read import target_query
from airflow_provider_influx_rollup.lifecycle.ghosts import Ghosts
from airflow_provider_influx_rollup.lifecycle.job import Job
from airflow_provider_influx_rollup.lifecycle.rollup_write import Written, window_bounds
from airflow_provider_influx_rollup.lifecycle.steps import Gather, Query, QueryArrow, Step, Steps
from airflow_provider_influx_rollup.lifecycle.target_rows import (
    Key,
    TargetColumn,
    TargetRows,
    block_keys,
    target_rows,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison of source and target found.

    :param rows_in: source points of each window
    :param totals: source points of each field, counted with the comparison
    :param ghosts: target values without a source
    :param differences: what is missing or out of date, one line each; empty when the target is right
    """

    target: TargetRows
    rows_in: list[int]
    totals: Mapping[str, int]
    ghosts: Ghosts
    differences: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether target and source agree."""
        return not self.differences and not self.ghosts.columns_by_key


def verify_windows(job: Job, written: Written) -> Steps[Verdict]:
    """Compare the target with the source as it is now.

    The cheap comparison is of totals; each series is looked at only when those disagree, or when no count is stored.
    """
    counted = _counted_in_target(job, written)
    steps: list[Step] = [QueryArrow(read_back_query(job))]
    if job.fields:
        steps.append(Query(field_totals_query(job.source, job.read_interval, job.fields)))
    if not counted:
        steps.append(QueryArrow(counts_query(job.source, job.runs, written.in_influx)))
    tables, *answers = yield Gather(tuple(steps))
    target = target_rows(job, frames_from_tables(tables))
    totals = totals_by_field(answers[0] if job.fields else [])
    if counted and not _totals_disagree(job, written, target, totals):
        rows_in = _rows_in(job, written, _count_columns(target, written))
        return Verdict(target, rows_in, totals, Ghosts({}))
    if counted and written.in_influx:
        answers.append((yield QueryArrow(counts_query(job.source, job.runs, written.in_influx))))
    counts = _counts_by_field(job, answers[1]) if written.in_influx else {}
    return _compare_series(job, written, target, totals, counts)


def totals_by_field(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Source points of each field, from the rows of ``field_totals_query``."""
    return {row["_field"]: row["_value"] for row in rows}


def read_back_query(job: Job) -> str:
    """The query that reads everything the pipeline may own in the block."""
    spec = job.spec
    return target_query(
        spec.target_bucket,
        spec.output_measurement,
        job.target_interval,
        aggregate_names=job.ownership.aggregate_names(),
        tags=job.ownership.tags(),
    )


def _counted_in_target(job: Job, written: Written) -> bool:
    """Whether every field that InfluxDB computed stores its count, so that totals can be compared."""
    names = {column.name for column in job.columns}
    return all(f"{name}_count" in names for name in written.in_influx)


def _totals_disagree(job: Job, written: Written, target: TargetRows, totals: Mapping[str, int]) -> list[str]:
    expected_rows: dict[str, int] = {}
    found: list[str] = []
    for name in job.fields:
        if name in written.in_influx:
            stored = target.columns.get(f"{name}_count")
            points = int(stored.values.sum()) if stored is not None else 0
            rows = len(stored.values) if stored is not None else 0
            expected_rows |= {column.name: rows for column in job.columns_of(name)}
        else:
            points = written.points_read[name]
            for column in job.columns_of(name):
                blocks = written.blocks.get(column.name, [])
                expected_rows[column.name] = sum(len(block.values) for block in blocks)
        if points != totals.get(name, 0):
            found.append(
                f"{name}: the rollup stands for {points} points, the source has {totals.get(name, 0)}"
            )
    for name, rows in expected_rows.items():
        stored_rows = len(target.columns[name].values) if name in target.columns else 0
        if stored_rows != rows and not _may_be_fewer(job, name, stored_rows, rows):
            found.append(f"{name}: {stored_rows} rows are stored, {rows} are right")
    found += [f"{name}: is stored but not asked for" for name in target.columns if name not in expected_rows]
    return found


def _may_be_fewer(job: Job, name: str, stored: int, expected: int) -> bool:
    """A standard deviation of one point does not exist, and the server leaves it out."""
    column = next(column for column in job.columns if column.name == name)
    return column.aggregate.source is Source.RAW and stored < expected and job.spec.compute == "server"


def _compare_series(
    job: Job,
    written: Written,
    target: TargetRows,
    totals: Mapping[str, int],
    counts: Mapping[str, list[Block]],
) -> Verdict:
    expected: dict[str, set[Key]] = {}
    differences: list[str] = []
    for name in job.fields:
        in_influx = name in written.in_influx
        keys = block_keys(counts.get(name, []))
        for column in job.columns_of(name):
            expected[column.name] = keys if in_influx else block_keys(written.blocks.get(column.name, []))
            differences += _missing(job, column, expected[column.name], target.columns.get(column.name))
        if in_influx:
            differences += _stale_counts(name, counts.get(name, []), target.columns.get(f"{name}_count"))
        elif written.points_read[name] != totals.get(name, 0):
            differences.append(
                f"{name}: {written.points_read[name]} points were read, {totals.get(name, 0)} are there"
            )
    ghosts = Ghosts.of(
        (name, column.keys() - expected.get(name, set())) for name, column in target.columns.items()
    )
    known = {name: counts.get(name, []) for name in written.in_influx}
    return Verdict(target, _rows_in(job, written, known), totals, ghosts, differences)


def _missing(job: Job, column: Column, expected: set[Key], stored: TargetColumn | None) -> list[str]:
    """Values the source explains and the target lacks."""
    lacking = expected - (stored.keys() if stored is not None else set())
    if not lacking or _may_be_fewer(job, column.name, 0, len(lacking)):
        return []
    return [f"{column.name}: {len(lacking)} of {len(expected)} values are missing"]


def _stale_counts(name: str, counts: Iterable[Block], stored: TargetColumn | None) -> list[str]:
    """Series whose stored count is not the source's: a point came or went between two reads."""
    if stored is None:
        return []
    now = _values_by_key(counts)
    then = _values_by_key([stored])
    changed = sum(1 for key, count in now.items() if then.get(key, count) != count)
    return [f"{name}: {changed} series changed while they were rolled up"] if changed else []


def _values_by_key(blocks: Iterable[Block | TargetColumn]) -> dict[Key, Any]:
    return {
        (block.tag_sets[series], window): value
        for block in blocks
        for series, window, value in zip(
            block.series.tolist(), block.window.tolist(), block.values.tolist(), strict=True
        )
    }


def _counts_by_field(job: Job, tables: Iterable[Any]) -> dict[str, list[Block]]:
    """Source counts per series and window, by field."""
    bounds = window_bounds(job.windows)
    counts: dict[str, list[Block]] = {}
    for frame in frames_from_tables(tables):
        for name in frame.fields:
            points = frame.of_field(name)
            position, window = bounds.spread(points.time_ns)
            block = Block(
                f"{name}_count", points.tag_sets, points.series[position], window, points.values[position]
            )
            counts.setdefault(name, []).append(block)
    return counts


def _count_columns(target: TargetRows, written: Written) -> dict[str, list[TargetColumn]]:
    names = {name: target.columns.get(f"{name}_count") for name in written.in_influx}
    return {name: [column] for name, column in names.items() if column is not None}


def _rows_in(job: Job, written: Written, counts: Mapping[str, Iterable[Block | TargetColumn]]) -> list[int]:
    """Source points of each window, over all fields."""
    return _sum_by_window(
        job, [block for blocks in (*counts.values(), *written.counts.values()) for block in blocks]
    )


def points_by_window(job: Job, tables: Iterable[Any]) -> list[int]:
    """Source points of each window, over all fields.

    :param tables: what a counts query returned
    """
    return _sum_by_window(
        job, [block for blocks in _counts_by_field(job, tables).values() for block in blocks]
    )


def _sum_by_window(job: Job, blocks: Iterable[Block | TargetColumn]) -> list[int]:
    rows = np.zeros(len(job.windows), np.int64)
    for block in blocks:
        np.add.at(rows, block.window, block.values.astype(np.int64))
    return [int(row) for row in rows]
