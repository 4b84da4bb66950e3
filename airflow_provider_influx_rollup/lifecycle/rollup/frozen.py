"""Windows that can no longer be rolled up because retention removed their points.

Windows can no longer be rebuilt when retention has taken points of theirs, or may take them at any moment: a rerun would
replace a complete rollup by a poorer one, so it is refused. And a bucket drops what it is too late to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.aggregates.windowed import Block, WindowBounds
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.flux.source_read import WindowCounts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.verify import sum_by_window
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon, is_too_old
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.shards import shard_end


def frozen_windows(
    job: RollupBlock, book: ReceiptBook, source: Bucket, now: datetime
) -> Steps[dict[Interval, WindowFrozen]]:
    """The windows that retention reaches and that must not be rolled up, each with the numbers.

    Too old is a window whose first shard group may go. A younger one is frozen when it has fewer points than its
    receipt says, and, when retention reaches it, if the spec has changed since: fewer points of one field and more of
    another cannot be told apart. The counts hold whatever the clock says: what is gone from a bucket that forgets may
    be gone forever.

    :param job: all windows of a run
    :param source: the source bucket; one that keeps forever freezes nothing
    """
    edge = horizon(source, now)
    if edge is None:
        return {}
    reached = tuple(
        w
        for w in job.windows
        if is_too_old(w, source, now)
        or (_stands_for_points(book, w) and (w.start < edge or _counts_decide(job.spec, book, w)))
    )
    if not reached:
        return {}
    part = _up_to(job, reached[-1])
    rows = [0] * len(part.windows)
    if part.fields:
        counts = yield from ask(WindowCounts(part.source, part.runs, part.fields))
        rows = points_by_window(part, counts)
    there = dict(zip(part.windows, rows, strict=True))
    why = {window: _why_frozen(window, book, source, now, there[window]) for window in reached}
    return {window: _frozen(window, source, edge, text) for window, text in why.items() if text}


def _why_frozen(window: Interval, book: ReceiptBook, source: Bucket, now: datetime, there: int) -> str | None:
    receipt: Receipt | None = book.previous.get(window)
    stands_for = receipt.rows_in if receipt else 0
    if stands_for:
        numbers = f"has {there} of the {stands_for} points that the rollup stands for"
    else:
        numbers = f"has {there} points of it, and the ledger does not know how many it had"
    if is_too_old(window, source, now):
        since = shard_end(window.start, source.shard_group_seconds) + timedelta(
            seconds=source.retention_seconds
        )
        return f"{numbers}; the oldest go at {format_instant(since)} or soon after"
    if receipt is not None and receipt.spec_hash != book.spec_hash:
        # only where retention reaches: younger windows of another spec were not asked for
        return f"{numbers}, and the spec has changed since, so that it cannot be told whether all are there"
    return numbers if there < stands_for else None


def _frozen(window: Interval, source: Bucket, edge: datetime, why: str) -> WindowFrozen:
    what = f"bucket {source.name!r} keeps points from {format_instant(edge)} on, and {why}"
    fix = "keep the rollup as it is, restore the points first, or set force=True to roll up what is left of them"
    return WindowFrozen(what, window=window, written="nothing", fix=fix)


def _up_to(job: RollupBlock, last: Interval) -> RollupBlock:
    """The windows of a job up to one of them."""
    windows = job.windows[: job.windows.index(last) + 1]
    cells = tuple(cell for cell in job.cells if cell.start < last.stop)
    return replace(job, windows=windows, cells=cells)


def _counts_decide(spec: RollupSpec, book: ReceiptBook, window: Interval) -> bool:
    receipt = book.previous.get(window)
    return spec.source_tier is None and receipt is not None and receipt.spec_hash == book.spec_hash


def _stands_for_points(book: ReceiptBook, window: Interval) -> bool:
    receipt = book.previous.get(window)
    return receipt is not None and receipt.rows_in > 0


def points_by_window(job: RollupBlock, counts: Iterable[Frame]) -> list[int]:
    """Source points of each window, over all fields."""
    bounds = WindowBounds.of(job.windows)
    blocks = []
    for frame in counts:
        position, window = bounds.spread(frame.time_ns)
        blocks.append(
            Block(
                column="",
                tag_sets=frame.tag_sets,
                series=frame.series[position],
                window=window,
                values=frame.values[position],
            )
        )
    return sum_by_window(job, blocks)


def count_notes(before: Mapping[Interval, Receipt], receipts: Iterable[Receipt]) -> list[str]:
    """Say which windows have lost points since they were committed: a rollup never becomes poorer in silence.

    :param before: the receipts of the last commits
    """
    poorer = [
        receipt
        for receipt in receipts
        if (known := before.get(receipt.window)) is not None
        and known.spec_hash == receipt.spec_hash
        and receipt.rows_in < known.rows_in
    ]
    if not poorer:
        return []
    first = poorer[0]
    numbers = f"{first.rows_in} now, {before[first.window].rows_in} then"
    return [
        f"{len(poorer)} windows have fewer points than when they were committed last, such as {first.window}: {numbers}"
    ]
