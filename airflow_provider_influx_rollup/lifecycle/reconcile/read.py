"""Read both sides of a block, the source and the target at the same time, and compare them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, ValuesView
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Frame, TagSet
from airflow_provider_influx_rollup.flux.rollup import Chain
from airflow_provider_influx_rollup.flux.source_read import FieldTotals
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.lifecycle.reconcile.depth import Depth
from airflow_provider_influx_rollup.lifecycle.rollup.compute import compute_windows
from airflow_provider_influx_rollup.lifecycle.rollup.computed import Computed
from airflow_provider_influx_rollup.lifecycle.rollup.verify import (
    own_values,
    sum_by_window,
)
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock, tags_of_few
from airflow_provider_influx_rollup.lifecycle.target.compare import Closeness, Difference, compare_rows
from airflow_provider_influx_rollup.lifecycle.target.rows import (
    TargetColumn,
    TargetRows,
    computed_rows,
    target_rows,
)
from airflow_provider_influx_rollup.step import Step
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.step import Steps

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Both sides of a block of windows, and where they differ.

    :param expected: what the source gives
    :param stored: what the target holds
    :param points: source points of each series and window, by field
    :param rows_in: source points of each window
    :param values_read: how many values of both sides were read
    """

    job: RollupBlock
    expected: TargetRows
    stored: TargetRows
    difference: Difference
    points: TargetRows
    rows_in: list[int]
    values_read: int


def read_and_compare(
    job: RollupBlock, depth: Depth, only: Collection[TagSet] | None = None
) -> Steps[Findings]:
    """Recompute a block from the source, read its rows from the target, and join the two.

    :param only: the series that are looked at; None looks at all
    """
    few = {} if only is None else tags_of_few(only)
    first = depth.job(replace(job, spec=replace(job.spec, tags={**job.spec.tags, **few})))
    computed, frames, values_read = yield from _read_both(first, own_values(job, few))
    expected = _with_columns(computed_rows(job, computed.blocks), depth.closeness)
    stored = target_rows(job, frames)
    points = computed_rows(job, computed.counts)
    if only is not None:
        expected, stored, points = (_of_series(rows, only) for rows in (expected, stored, points))
    own = {column.name for column in job.columns}
    # fields that the source no longer has at all, and those of an earlier spec
    foreign = {name: Closeness.BITS for name in stored.columns if name not in own}
    difference = compare_rows(expected, stored, len(job.windows), {**depth.closeness, **foreign})
    counts = [block for blocks in computed.counts.values() for block in blocks]
    return Findings(
        job=job,
        expected=expected,
        stored=stored,
        difference=difference,
        points=points,
        rows_in=sum_by_window(job, counts),
        values_read=values_read,
    )


def _read_both(job: RollupBlock, target: TargetValues) -> Steps[tuple[Computed, list[Frame], int]]:
    """Compute the source's side, and read the target's at the same time."""
    if not job.columns:
        frames = yield from ask(target)
        return Computed(), frames, _row_count(frames)
    _, from_raw, _ = job.fields_by_way()
    bounded = list(job.fields) if job.spec.source_tier is not None else from_raw
    if not bounded:
        return (yield from alongside(compute_windows(job, {}), target))
    frames, totals = yield from gather(target, FieldTotals(job.source, job.read_interval, bounded))
    computed, _, count = yield from alongside(compute_windows(job, totals), None)
    return computed, frames, count + _row_count(frames)


def alongside(reading: Steps[Computed], extra: Step[Any] | None) -> Steps[tuple[Computed, Any, int]]:
    """Run a verb that only reads, with one more step beside its first one, and without its reports.

    :return: the verb's result, the other step's answer, and how many rows all the answers had
    """
    answer: Any = None
    beside: Any = None
    row_count = 0
    while True:
        try:
            step = reading.send(answer)
        except StopIteration as end:
            return end.value, beside, row_count
        answer = None
        if isinstance(step, Report):
            continue
        inner = step.steps if isinstance(step, Gather) else (step,)
        answers = yield from ask(Gather(inner if extra is None else (*inner, extra)))
        row_count += sum(_row_count(some) for some in answers)
        if extra is not None:
            beside, extra = answers.pop(), None
        answer = answers if isinstance(step, Gather) else answers[0]


def _row_count(answer: Any) -> int:
    """Number of values in an answer: of frames, of frames by part or beside a chain, or of small rows."""
    if isinstance(answer, Frame):
        return len(answer)
    if isinstance(answer, Mapping):
        answer = answer.values()
    if isinstance(answer, list | tuple | ValuesView):
        return sum(map(_row_count, answer))
    return 0 if answer is None or isinstance(answer, Chain) else 1


def _with_columns(rows: TargetRows, names: Collection[str]) -> TargetRows:
    return replace(rows, columns={name: column for name, column in rows.columns.items() if name in names})


def _of_series(rows: TargetRows, only: Collection[TagSet]) -> TargetRows:
    chosen = frozenset(only)
    kept = np.array([tags in chosen for tags in rows.tag_sets], bool)
    return filtered(rows, lambda column: kept[column.series])


def of_windows(rows: TargetRows, windows: Iterable[int], window_count: int) -> TargetRows:
    """Only the rows of some windows."""
    kept = np.zeros(window_count, bool)
    kept[list(windows)] = True
    return filtered(rows, lambda column: kept[column.window])


def filtered(rows: TargetRows, keep: Any) -> TargetRows:
    """Only the rows that a mask of each column keeps; columns without any are left out.

    :param keep: takes a column and returns a mask of its rows
    """
    columns: dict[str, TargetColumn] = {}
    for name, column in rows.columns.items():
        mask: NDArray[np.bool_] = keep(column)
        if mask.any():
            columns[name] = replace(
                column,
                series=column.series[mask],
                window=column.window[mask],
                time_ns=column.time_ns[mask],
                values=column.values[mask],
            )
    return replace(rows, columns=columns)


def stored_checksums(findings: Findings, windows: Iterable[int]) -> Mapping[int, str]:
    """The checksum of what the target holds of some windows."""
    chosen = sorted(windows)
    rows = of_windows(findings.stored, chosen, len(findings.job.windows))
    totals = rows.totals(findings.job)
    return {window: totals[window].checksum for window in chosen}
