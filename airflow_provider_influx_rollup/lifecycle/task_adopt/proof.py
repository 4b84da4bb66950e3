"""Compare what a task has written with what its declaration gives, and write nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.exceptions import QueryFailed
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.flux.plain_task import PlainTask
from airflow_provider_influx_rollup.flux.read_only import WRITTEN, read_only, why_not_read_only
from airflow_provider_influx_rollup.flux.target_read import PointsThere
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.compute import compute_windows
from airflow_provider_influx_rollup.lifecycle.rollup.plan import plan_rollup
from airflow_provider_influx_rollup.lifecycle.rollup_script.rows import PointKey, ScriptRows
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.target.rows import computed_rows
from airflow_provider_influx_rollup.lifecycle.task_adopt.schedule import RunWindows
from airflow_provider_influx_rollup.lifecycle.task_adopt.spec import ReadTask
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Query
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import ListRuns
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, format_instant

Points = Mapping[PointKey, Any]
# sums of the same numbers in another order
CLOSE = 1e-9
MAX_EXAMPLES = 5
# of all windows together, which are kept in memory
MAX_ROWS = 500_000
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowProof:
    """Rows of one window.

    :param task_rows: what the task has written
    :param declared_rows: what the declaration gives
    :param equal: rows that are in both, with the same value
    :param different: rows with two values, or that one side lacks
    :param run: how the task's run for the window ended; empty when InfluxDB does not know it
    """

    window: Interval
    task_rows: int
    declared_rows: int
    equal: int
    different: int
    run: str


@dataclass(frozen=True, slots=True)
class RowPair:
    """A row that differs.

    :param task: the value that the task has written; None when there is none
    :param declared: the value that the declaration gives; None likewise
    """

    key: PointKey
    task: Any
    declared: Any


@dataclass(frozen=True, slots=True)
class Proof:
    """Comparison of some windows.

    :param windows: in order
    :param examples: some of the rows that differ
    :param unproven: why nothing is proven; empty when the rows were compared
    """

    windows: tuple[WindowProof, ...] = ()
    examples: tuple[RowPair, ...] = ()
    unproven: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether there were rows, and all are equal."""
        is_same_everywhere = not any(one.different for one in self.windows)
        return not self.unproven and is_same_everywhere and any(one.equal for one in self.windows)


def prove_rollup(found: ReadTask, plain: PlainTask, spec: RollupSpec, runs: RunWindows) -> Steps[Proof]:
    """Compute the windows as the rollup would, and compare them with the task's rows."""
    span = Interval.spanning(runs.compared)
    computed = yield from _rows_of_rollup(plain, spec, span)
    at_stop = plain.is_stamped_at_stop
    return (yield from _compare(found, spec.target_bucket, computed, runs.compared, plain, at_stop=at_stop))


def prove_script(found: ReadTask, target_bucket: str, runs: RunWindows) -> Steps[Proof]:
    """Run the script for the windows without its writes, and compare what it returns with the task's rows."""
    reason = why_not_read_only(found.package, found.facts)
    if reason:
        return Proof(unproven=f"the script was not run: {reason}")
    text = read_only(found.script, found.package)
    computed: dict[PointKey, Any] = {}
    at_stop = False
    # as in InfluxDB a later run writes over an earlier one
    for window in (*runs.compared, *runs.later):
        period = found.option.every or Duration.of(window.duration)
        extern = extern_file(v=window_values(window, period))
        try:
            rows = yield from ask(Query(text, extern=extern, now=window.stop, as_sent=True))
        except QueryFailed as error:
            return Proof(unproven=f"the script fails for {window}: {error.what}")
        points = ScriptRows.of(row for row in rows if row.yield_name.startswith(WRITTEN)).points
        computed |= points
        # a stop of one window is the start of the next: only the run's own window tells which its rows have
        at_stop = at_stop or any(key[2] == window.stop for key in points)
        if len(computed) > MAX_ROWS:
            why = f"the script writes more than {MAX_ROWS:,} rows by {format_instant(window.stop)}: compare fewer windows"
            return Proof(unproven=why)
    return (yield from _compare(found, target_bucket, computed, runs.compared, None, at_stop=at_stop))


def _rows_of_rollup(plain: PlainTask, spec: RollupSpec, span: Interval) -> Steps[dict[PointKey, Any]]:
    """The rows of a rollup, with the names and times that the task gives them."""
    windows = tuple(spec.grid.grid().tile(span))
    plan = yield from plan_rollup(spec, windows, RunInfo(), dry_run=True, only_reads=True)
    job = plan.job(windows)
    if not job.columns:
        return {}
    computed = yield from compute_windows(job, plan.totals)
    rows = computed_rows(job, computed.blocks)
    found: dict[PointKey, Any] = {}
    for name, column in rows.columns.items():
        field_name = name.removesuffix(f"_{plain.function}")
        at = zip(column.series.tolist(), column.window.tolist(), column.values.tolist(), strict=True)
        for series, number, value in at:
            window = windows[number]
            time = window.stop if plain.is_stamped_at_stop else window.start
            found[plain.output_measurement, field_name, time, tuple(sorted(rows.tag_sets[series]))] = value
    return found


def _compare(
    found: ReadTask,
    target_bucket: str,
    computed: Points,
    windows: Sequence[Interval],
    plain: PlainTask | None,
    *,
    at_stop: bool,
) -> Steps[Proof]:
    declared = {key: value for key, value in computed.items() if not _is_no_number(value)}
    if not declared:
        return Proof(unproven=f"the last {len(windows)} windows have no points: there was nothing to compare")
    span = Interval.spanning(windows)
    stored: dict[PointKey, Any] = {}
    for measurement in sorted({key[0] for key in declared}):
        reach = Interval(span.start, span.stop + MICROSECOND)
        rows = yield from ask(PointsThere(target_bucket, measurement, reach))
        stored |= ScriptRows.of(rows).points
    kept = _like(stored, declared, plain)
    statuses = yield from _run_statuses(found, span)
    return _joined(kept, declared, windows, at_stop=at_stop, statuses=statuses)


def _like(stored: Points, declared: Points, plain: PlainTask | None) -> dict[PointKey, Any]:
    """Rows of the task: others may write other fields, or series with other tags, into its measurement."""
    shapes = {_shape(key) for key in declared}
    tags = plain.tags if plain else {}
    return {
        key: value
        for key, value in stored.items()
        if _shape(key) in shapes and all(dict(key[3]).get(tag, "") in some for tag, some in tags.items())
    }


def _shape(key: PointKey) -> tuple[str, str, tuple[str, ...]]:
    return key[0], key[1], tuple(tag for tag, _ in key[3])


def _joined(
    stored: Points,
    declared: Points,
    windows: Sequence[Interval],
    *,
    at_stop: bool,
    statuses: Mapping[datetime, str],
) -> Proof:
    proofs: list[WindowProof] = []
    examples: list[RowPair] = []
    for window in windows:
        mine, theirs = (_inside(points, window, at_stop=at_stop) for points in (declared, stored))
        different = [
            RowPair(key, theirs.get(key), mine.get(key))
            for key in sorted({*mine, *theirs})
            if key not in mine or key not in theirs or not is_same(mine[key], theirs[key])
        ]
        examples += different[: MAX_EXAMPLES - len(examples)]
        proofs.append(
            WindowProof(
                window=window,
                task_rows=len(theirs),
                declared_rows=len(mine),
                equal=len({*mine, *theirs}) - len(different),
                different=len(different),
                run=statuses.get(window.stop, ""),
            )
        )
    if not any(one.task_rows or one.declared_rows for one in proofs):
        return Proof(unproven="no row has a time within the windows: there was nothing to compare")
    return Proof(tuple(proofs), tuple(examples))


def _inside(points: Points, window: Interval, *, at_stop: bool) -> Points:
    """Rows of a window, whose times are in ``(start, stop]`` when they are stops, else in ``[start, stop)``."""
    return {
        key: value
        for key, value in points.items()
        if (window.start < key[2] <= window.stop if at_stop else window.contains(key[2]))
    }


def is_same(mine: object, theirs: object) -> bool:
    """Whether two values are one and the same, but for the rounding of floats."""
    if isinstance(mine, float) and isinstance(theirs, float):
        return math.isclose(mine, theirs, rel_tol=CLOSE)
    return type(mine) is type(theirs) and mine == theirs


def _is_no_number(value: object) -> bool:
    """What InfluxDB does not store."""
    return isinstance(value, float) and not math.isfinite(value)


def _run_statuses(found: ReadTask, span: Interval) -> Steps[dict[datetime, str]]:
    """How the runs of the task ended, by their times; InfluxDB forgets them after three days."""
    runs = yield from ask(ListRuns(found.task.id, after=span.start - SECOND))
    return {run.scheduled_for: run.status for run in runs}
