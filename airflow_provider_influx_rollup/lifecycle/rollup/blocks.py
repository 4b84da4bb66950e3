"""Blocks of windows that are committed together, and what a retry need not do again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.source_read import FieldSeries, SeriesAtMost
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook, claims_begin_with
from airflow_provider_influx_rollup.lifecycle.target.block import weighed_points
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import blocks_of

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.aggregates.selection import Column
    from airflow_provider_influx_rollup.flux.rollup import RollupSource
    from airflow_provider_influx_rollup.lifecycle.rollup.plan import Plan
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo

MAX_WINDOWS_PER_BLOCK = 500
# what takes seconds: each block costs eight round trips, as much as hundreds of windows of few points
MAX_SMALL_WINDOWS_PER_BLOCK = 2_500
POINTS_OF_SMALL_BLOCK = 1_000_000
# InfluxDB aggregates some 10 million points a second, the worker one million
MAX_POINTS_PER_BLOCK = 100_000_000
# the worker holds all values of a block, each in some 330 bytes: a gigabyte
MAX_VALUES_PER_BLOCK = 3_000_000


def plan_blocks(
    plan: Plan, todo: Sequence[tuple[Interval, ...]], wanted: int | None
) -> Steps[list[tuple[Interval, ...]]]:
    """Cut windows into blocks that take minutes at most, and whose values the worker can hold.

    How many series there are is asked only when the points are so many that it may matter, and those of each field only
    when all series of the measurement may be too many.

    :param todo: runs of neighbours
    :param wanted: how many windows a block is to have; None leaves it to the points and the series
    """
    columns = plan.types.columns()
    points = weighed_points(columns, plan.totals)
    most = windows_in_a_block(len(plan.windows), points, wanted)
    at_most = sum(plan.totals.get(column.sources[0], 0) for column in columns)
    if wanted is None and todo and most > 1 and at_most > MAX_VALUES_PER_BLOCK:
        first, last = plan.job(todo[0]), plan.job(todo[-1])
        interval = Interval(first.read_interval.start, last.read_interval.stop)
        values = yield from _values_of_a_window(plan, first.source, interval, most)
        # the points may be gone meanwhile
        most = min(most, max(1, int(MAX_VALUES_PER_BLOCK / max(values, 1))))
    return blocks_of(todo, most)


def _values_of_a_window(plan: Plan, source: RollupSource, interval: Interval, most: int) -> Steps[float]:
    """How many values a window's rows have at most; a bound where that many windows of it fit into a block."""
    columns = plan.types.columns()
    bound = len(columns) * (yield from ask(SeriesAtMost(source, interval)))
    if bound * most <= MAX_VALUES_PER_BLOCK:
        return bound
    names = sorted({column.sources[0] for column in columns})
    series = yield from ask(FieldSeries(source, interval, names))
    return values_of_a_window(columns, plan.totals, series, len(plan.windows))


def values_of_a_window(
    columns: Iterable[Column], totals: Mapping[str, int], series: Mapping[str, int], window_count: int
) -> float:
    """How many values a window's rows have at most, on average: none without a point, and one for each series and column.

    :param totals: how many points each field has in all windows
    :param series: how many series each field has
    """
    sources = [column.sources[0] for column in columns]
    return sum(min(totals.get(name, 0) / window_count, series.get(name, 0)) for name in sources)


def windows_in_a_block(window_count: int, points: int, wanted: int | None) -> int:
    """Number of windows that are committed together, so that a crashed run loses minutes at most.

    :param window_count: how many windows there are
    :param points: how many source points they have
    :param wanted: what the user asks for; None leaves it to the points
    """
    if wanted is not None:
        return wanted
    large = _windows_of(MAX_POINTS_PER_BLOCK, window_count, points)
    small = _windows_of(POINTS_OF_SMALL_BLOCK, window_count, points)
    return max(min(MAX_WINDOWS_PER_BLOCK, large), min(MAX_SMALL_WINDOWS_PER_BLOCK, small))


def _windows_of(most_points: int, window_count: int, points: int) -> int:
    """How many windows have at most so many points together, when all have equally many; at least one."""
    blocks = max(1, ceil(points / most_points))
    return max(1, ceil(window_count / blocks))


def done_by_this_run(book: ReceiptBook, windows: Iterable[Interval]) -> dict[Interval, Receipt]:
    """The windows that an earlier try of the same run has COMMITTED under the same spec.

    A task that was cleared has a later first try, so that it does everything again; so does a run that was made again.
    """
    claims = _earlier_claims(book.run)
    known = {window: book.previous[window] for window in windows if window in book.previous}
    return {
        window: receipt
        for window, receipt in known.items()
        if receipt.is_committed
        and receipt.spec_hash == book.spec_hash
        and _is_earlier_try(book, receipt, claims)
    }


def _earlier_claims(run: RunInfo) -> dict[int, str]:
    """What the claims of the earlier tries begin with, by their numbers."""
    tries = range(run.first_try, run.try_number + run.resumes_own_try)
    return {number: claims_begin_with(replace(run, try_number=number)) for number in tries if run.run_id}


def _is_earlier_try(book: ReceiptBook, receipt: Receipt, claims: Mapping[int, str]) -> bool:
    run = book.run
    mine = (run.dag_id, run.task_id, run.run_id, run.map_index)
    is_same_run = mine == (receipt.dag_id, receipt.task_id, receipt.run_id, receipt.map_index)
    if not is_same_run or receipt.try_number not in claims:
        return False
    # a deleted run's id is given again, with its numbers of tries; when it began is in its claims
    return not run.began or receipt.claim_id.startswith(claims[receipt.try_number])
