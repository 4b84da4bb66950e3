"""Compare the target with what was computed and with the source, and name the rows that nothing explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import frames_from_tables
from airflow_provider_influx_rollup.aggregates.windowed import Block
from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.flux.source_read import field_totals_query
from airflow_provider_influx_rollup.flux.target_read import target_query, target_totals_query
from airflow_provider_influx_rollup.lifecycle.rollup.chains import COUNT
from airflow_provider_influx_rollup.lifecycle.rollup.compute import Computed
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.compare import Closeness, compare_rows
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetRows, target_rows
from airflow_provider_influx_rollup.lifecycle.target.stale_rows import StaleRows
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Gather, Query, QueryArrow
from airflow_provider_influx_rollup.steps.step import Step, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a comparison of source and target found.

    :param rows: what was computed; the target holds exactly this when the verdict is right
    :param rows_in: source points of each window
    :param totals: source points of each field, counted with the comparison
    :param ghosts: target values without a source, and those of points that are there under several series keys
    :param differences: what is missing or out of date, one line each; empty when the target is right
    :param off_grid: values of the pipeline's fields that lie on no window's start
    """

    rows: TargetRows
    rows_in: list[int]
    totals: Mapping[str, int]
    ghosts: StaleRows
    differences: list[str] = field(default_factory=list)
    off_grid: int = 0

    @property
    def is_right(self) -> bool:
        """Whether target and source agree."""
        return not self.differences and not self.ghosts.columns_by_key


def verify_windows(
    job: RollupBlock, computed: Computed, rows: TargetRows, totals: Mapping[str, int] | None = None
) -> Steps[Verification]:
    """Compare the target with what was computed, and that with the source as it is now.

    The cheap comparison is of totals per field; each series is read back only when those disagree, or when rows of
    others lie between the pipeline's own.

    :param rows: what was computed, in the form of what is read back
    :param totals: source points of each field, when they were counted after all reads already
    """
    source_step = Query(totals_query(job)) if job.fields and totals is None else None
    is_alone = job.spec.group_by is None and not job.ownership.earlier
    target_step = Query(_totals_query(job, rows)) if is_alone else QueryArrow(read_back_query(job))
    steps: tuple[Step[Any], ...] = (target_step,) if source_step is None else (target_step, source_step)
    answer, *counted = yield from ask(Gather(steps))
    totals = totals_by_field(counted[0] if counted else []) if totals is None else totals
    differences = _stale_points(job, computed, totals)
    rows_in = sum_by_window(job, (block for blocks in computed.counts.values() for block in blocks))
    if is_alone:
        if _holds_exactly(job, rows, answer):
            return Verification(
                rows=rows, rows_in=rows_in, totals=totals, ghosts=StaleRows({}), differences=differences
            )
        answer = yield from ask(QueryArrow(read_back_query(job)))
    stored = target_rows(job, frames_from_tables(answer))
    ghosts, wrong = _compare(job, rows, stored)
    return Verification(
        rows=rows,
        rows_in=rows_in,
        totals=totals,
        ghosts=ghosts,
        differences=differences + wrong,
        off_grid=stored.off_grid,
    )


def totals_query(job: RollupBlock) -> str:
    """How many points each field of the source has."""
    return field_totals_query(job.source, job.read_interval, job.fields)


def totals_by_field(rows: Iterable[Row]) -> dict[str, int]:
    """Source points of each field, from the rows of ``field_totals_query``."""
    return {row["_field"]: row["_value"] for row in rows}


def read_back_query(job: RollupBlock) -> str:
    """The query that reads everything the pipeline may own in the block."""
    return target_query(
        job.spec.target_bucket,
        job.spec.output_measurement,
        job.target_interval,
        aggregate_names=job.ownership.aggregate_names(),
        tags=job.ownership.tags(),
    )


def _totals_query(job: RollupBlock, rows: TargetRows) -> str:
    return target_totals_query(
        job.spec.target_bucket,
        job.spec.output_measurement,
        job.target_interval,
        aggregate_names=job.ownership.aggregate_names(),
        tags=job.ownership.tags(),
        count_fields=_count_fields(rows),
    )


def _count_fields(rows: TargetRows) -> list[str]:
    return [name for name in rows.columns if name.endswith(f"_{COUNT.name}")]


def _holds_exactly(job: RollupBlock, rows: TargetRows, answer: Iterable[Row]) -> bool:
    """Whether each field has as many values as were computed, and its counts add up alike.

    All that was computed has been written over what was there, so that equal numbers mean equal rows.
    """
    stored: dict[str, dict[str, int]] = {"rows": {}, "points": {}}
    for row in answer:
        if job.ownership.owns_field(row["_field"]):
            stored[row.yield_name][row["_field"]] = row["_value"]
    expected_rows = {name: len(column.values) for name, column in rows.columns.items()}
    points = {name: int(rows.columns[name].values.sum()) for name in _count_fields(rows)}
    return stored == {"rows": expected_rows, "points": points}


def _stale_points(job: RollupBlock, computed: Computed, totals: Mapping[str, int]) -> list[str]:
    """Fields whose points came or went while they were read."""
    return [
        f"{name}: the rollup stands for {computed.points_read[name]} points, the source has {totals.get(name, 0)}"
        for name in job.fields
        if computed.points_read[name] != totals.get(name, 0)
    ]


def _compare(job: RollupBlock, rows: TargetRows, stored: TargetRows) -> tuple[StaleRows, list[str]]:
    """Stored values that were not computed, or are there twice; and computed values that are not what is stored."""
    columns = dict.fromkeys((*rows.columns, *stored.columns), Closeness.BITS)
    found = compare_rows(rows, stored, len(job.windows), columns)
    ghosts = StaleRows.of((name, set(found.pairs(keys))) for name, keys in found.ghosts.items())
    wrong: list[str] = []
    for name, keys in found.wrong.items():
        # one of two rows may be right: both go, and it is written again
        lacking = np.setdiff1d(keys, found.ghosts.get(name, ()))
        if len(lacking):
            count = len(rows.columns[name].values)
            wrong.append(f"{name}: {len(lacking)} of {count} values are missing or other ones")
    return ghosts, wrong


def sum_by_window(job: RollupBlock, blocks: Iterable[Block]) -> list[int]:
    """Add up the values of each window, such as counts of points."""
    rows = np.zeros(len(job.windows), np.int64)
    for block in blocks:
        np.add.at(rows, block.window, block.values.astype(np.int64))
    return [int(row) for row in rows]
