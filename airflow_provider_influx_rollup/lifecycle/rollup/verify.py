"""Compare the target with what was computed and with the source, and name the rows that nothing explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.aggregates.windowed import Block
from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.ledger_read import ClaimedWindow
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.flux.source_read import FieldTotals
from airflow_provider_influx_rollup.flux.target_read import TargetCounts, TargetTotals, TargetValues
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup.chains import COUNT
from airflow_provider_influx_rollup.lifecycle.rollup.computed import Computed
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.compare import Closeness, compare_rows
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetRows, target_rows
from airflow_provider_influx_rollup.lifecycle.target.stale_rows import StaleRows
from airflow_provider_influx_rollup.lifecycle.target.values_read import read_values
from airflow_provider_influx_rollup.step import Answer, Step
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Result of comparing source and target.

    :param rows: what was computed; the target holds exactly this when the verdict is right
    :param rows_in: source points of each window
    :param totals: source points of each field, counted with the comparison
    :param stale: target values without a source, and those of points that are there under several series keys
    :param differences: what is missing or out of date, one line each; empty when the target is right
    :param off_grid: values of the pipeline's fields that lie on no window's start
    :param claims: who has the windows, by their starts
    :param overtaken: windows that another run has claimed since this one did
    """

    rows: TargetRows
    rows_in: list[int]
    totals: Mapping[str, int]
    stale: StaleRows
    claims: Mapping[datetime, ClaimedWindow]
    differences: list[str] = field(default_factory=list)
    off_grid: int = 0
    overtaken: tuple[Interval, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether target and source agree."""
        return not self.differences and not self.stale.columns_by_key


def verify_windows(
    job: RollupBlock,
    book: ReceiptBook,
    computed: Computed,
    rows: TargetRows,
    totals: Mapping[str, int] | None = None,
) -> Steps[Verification]:
    """Compare the target with what was computed, and that with the source as it is now; see who has the windows.

    The cheap comparison is of totals per field; each series is read back only when those disagree, or when rows of
    others lie between the pipeline's own.

    :param book: has the claim of the run
    :param rows: what was computed, in the form of what is read back
    :param totals: source points of each field, when they were counted after all reads already
    """
    is_alone = job.spec.group_by is None and not job.ownership.earlier
    stored_totals, frames = None, None
    if is_alone:
        stored_totals, claims, totals = yield from _look_at_totals(job, book, rows, totals)
    else:
        frames, claims, totals = yield from _look_at_values(job, book, totals)
    differences = _stale_points(job, computed, totals)
    rows_in = sum_by_window(job, (block for blocks in computed.counts.values() for block in blocks))
    if stored_totals is not None and _holds_exactly(job, rows, stored_totals):
        return Verification(
            rows=rows,
            rows_in=rows_in,
            totals=totals,
            stale=StaleRows({}),
            differences=differences,
            claims=claims,
            overtaken=overtaken(book, job.windows, claims),
        )
    if frames is None:
        frames, claims, _ = yield from _look_at_values(job, book, totals)
    stored = target_rows(job, frames)
    stale, wrong = _compare(job, rows, stored)
    return Verification(
        rows=rows,
        rows_in=rows_in,
        totals=totals,
        stale=stale,
        differences=differences + wrong,
        off_grid=stored.off_grid,
        claims=claims,
        overtaken=overtaken(book, job.windows, claims),
    )


def _look(
    job: RollupBlock, book: ReceiptBook, query: Step[Answer], totals: Mapping[str, int] | None
) -> Steps[tuple[Answer, Mapping[datetime, ClaimedWindow], Mapping[str, int]]]:
    """Ask something and who has the windows; count the source's points meanwhile, unless they are counted or none is wanted."""
    claims = claims_of(book, job.windows)
    if totals is None and job.fields:
        return (yield from gather(query, claims, source_totals(job)))
    return *(yield from gather(query, claims)), totals or {}


def _look_at_totals(
    job: RollupBlock, book: ReceiptBook, rows: TargetRows, totals: Mapping[str, int] | None
) -> Steps[tuple[TargetCounts, Mapping[datetime, ClaimedWindow], Mapping[str, int]]]:
    """The same of the target's totals, in one request."""
    both = together(_stored_totals(job, rows), claims_of(book, job.windows))
    if totals is None and job.fields:
        (stored, claims), totals = yield from gather(both, source_totals(job))
    else:
        stored, claims = yield from ask(both)
    return stored, claims, totals or {}


def _look_at_values(
    job: RollupBlock, book: ReceiptBook, totals: Mapping[str, int] | None
) -> Steps[tuple[list[Frame], Mapping[datetime, ClaimedWindow], Mapping[str, int]]]:
    """The same of all values that the pipeline may own; of a single window in parts, where they are too much for one query.

    Who has the windows is asked after the last part then, as it must not be older than what was read.
    """
    try:
        return (yield from _look(job, book, own_values(job), totals))
    except QueryLimitReached:
        if len(job.windows) > 1:
            raise  # fewer windows are tried then
    frames = yield from read_values(own_values(job))
    claims = yield from ask(claims_of(book, job.windows))
    if totals is None and job.fields:
        totals = yield from ask(source_totals(job))
    return frames, claims, totals or {}


def source_totals(job: RollupBlock) -> FieldTotals:
    """Points of each field of the source."""
    return FieldTotals(job.source, job.read_interval, job.fields)


def own_values(job: RollupBlock, few: Mapping[str, tuple[str, ...]] | None = None) -> TargetValues:
    """Everything the pipeline may own in the block.

    :param few: only of these tag values
    """
    return TargetValues(
        bucket=job.spec.target_bucket,
        measurement=job.spec.output_measurement,
        interval=job.target_interval,
        aggregate_names=job.ownership.aggregate_names(),
        tags={**job.ownership.tags(), **(few or {})},
    )


def _stored_totals(job: RollupBlock, rows: TargetRows) -> TargetTotals:
    return TargetTotals(
        bucket=job.spec.target_bucket,
        measurement=job.spec.output_measurement,
        interval=job.target_interval,
        aggregate_names=job.ownership.aggregate_names(),
        tags=job.ownership.tags(),
        count_fields=_count_fields(rows),
    )


def _count_fields(rows: TargetRows) -> list[str]:
    return [name for name in rows.columns if name.endswith(f"_{COUNT.name}")]


def _holds_exactly(job: RollupBlock, rows: TargetRows, totals: TargetCounts) -> bool:
    """Whether each field has as many values as were computed, and its counts add up alike.

    All that was computed has been written over what was there, so that equal numbers mean equal rows.
    """
    owned = TargetCounts(
        *(
            {name: of[name] for name in of if job.ownership.owns_field(name)}
            for of in (totals.rows, totals.points)
        )
    )
    expected_rows = {name: len(column.values) for name, column in rows.columns.items()}
    points = {name: int(rows.columns[name].values.sum()) for name in _count_fields(rows)}
    return owned == TargetCounts(expected_rows, points)


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
    stale = StaleRows.of((name, set(found.pairs(keys))) for name, keys in found.stale.items())
    wrong: list[str] = []
    for name, keys in found.wrong.items():
        # one of two rows may be right: both go, and it is written again
        lacking = np.setdiff1d(keys, found.stale.get(name, ()))
        if len(lacking):
            count = len(rows.columns[name].values)
            wrong.append(f"{name}: {len(lacking)} of {count} values are missing or other ones")
    return stale, wrong


def sum_by_window(job: RollupBlock, blocks: Iterable[Block]) -> list[int]:
    """Add up the values of each window, such as counts of points."""
    rows = np.zeros(len(job.windows), np.int64)
    for block in blocks:
        np.add.at(rows, block.window, block.values.astype(np.int64))
    return [int(row) for row in rows]
