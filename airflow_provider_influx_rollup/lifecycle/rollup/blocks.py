"""Blocks of windows that are committed together, and what a retry need not do again."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_WINDOWS_PER_BLOCK = 500
# what takes seconds: each block costs eight round trips, as much as hundreds of windows of few points
MAX_SMALL_WINDOWS_PER_BLOCK = 2_500
POINTS_OF_SMALL_BLOCK = 1_000_000
# InfluxDB aggregates some 10 million points a second, the worker one million
MAX_POINTS_PER_BLOCK = 100_000_000


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

    A task that was cleared has a later first try, so that it does everything again.
    """
    known = {window: book.previous[window] for window in windows if window in book.previous}
    return {
        window: receipt
        for window, receipt in known.items()
        if receipt.is_committed and receipt.spec_hash == book.spec_hash and _is_earlier_try(book, receipt)
    }


def _is_earlier_try(book: ReceiptBook, receipt: Receipt) -> bool:
    run = book.run
    mine = (run.dag_id, run.task_id, run.run_id, run.map_index)
    is_same_run = mine == (receipt.dag_id, receipt.task_id, receipt.run_id, receipt.map_index)
    tries = range(run.first_try, run.try_number + run.resumes_own_try)
    return bool(run.run_id) and is_same_run and receipt.try_number in tries
