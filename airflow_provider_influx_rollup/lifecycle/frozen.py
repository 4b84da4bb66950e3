"""What retention makes impossible.

Windows can no longer be rebuilt when retention has taken points that their rollup stands for: a rerun would replace a
complete rollup by a poorer one, so it is refused. And a bucket drops what it is too late to write.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.aggregates.frame import frames_from_tables
from airflow_provider_influx_rollup.aggregates.windowed import Block
from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowFrozen
from airflow_provider_influx_rollup.flux.source_read import counts_query
from airflow_provider_influx_rollup.lifecycle.job import Job
from airflow_provider_influx_rollup.lifecycle.receipts import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup_verify import sum_by_window
from airflow_provider_influx_rollup.lifecycle.rollup_write import window_bounds
from airflow_provider_influx_rollup.lifecycle.steps import Bucket, QueryArrow, Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    import pyarrow as pa


def require_not_frozen(job: Job, book: ReceiptBook, source: Bucket, now: datetime) -> Steps[None]:
    """Refuse windows that retention reaches and that have fewer source points than their receipt says.

    A spec that changed since may read fewer points on purpose, which nobody can tell from points that are gone.

    :param source: the source bucket; one that keeps for ever freezes nothing
    :raises WindowFrozen: with the numbers of the first such window
    """
    horizon = now - timedelta(seconds=source.retention_seconds)
    at_risk = [
        window for window in job.windows if window.start < horizon and _stands_for_points(book, window)
    ]
    if not source.retention_seconds or not at_risk:
        return
    rows = [0] * len(job.windows)
    if job.fields:
        rows = _points_by_window(job, (yield QueryArrow(counts_query(job.source, job.runs, job.fields))))
    now_there = dict(zip(job.windows, rows, strict=True))
    frozen = [window for window in at_risk if now_there[window] < book.previous[window].rows_in]
    if frozen:
        first = frozen[0]
        what = (
            f"{len(frozen)} of {len(job.windows)} windows are frozen: bucket {source.name!r} keeps points from "
            f"{format_instant(horizon)} on, and has {now_there[first]} of the {book.previous[first].rows_in} points "
            "that the rollup stands for"
        )
        fix = "keep the rollup as it is, or restore the points first"
        raise WindowFrozen(what, window=first, written="nothing", fix=fix)


def require_kept(target: Bucket, ledger: Bucket | None, first: Interval, now: datetime) -> None:
    """Refuse buckets that would drop what is written to them; the server only speaks of an internal error then.

    :param ledger: None when there is none yet
    :param first: the earliest window
    :raises ConfigurationError: naming the bucket
    """
    if ledger is not None and ledger.retention_seconds:
        what = f"bucket {ledger.name!r} keeps points for {ledger.retention_seconds} s only; a ledger keeps for ever"
        fix = "set its retention to 0, or choose another ledger_bucket"
        raise ConfigurationError(what, window=first, written="nothing", fix=fix)
    horizon = now - timedelta(seconds=target.retention_seconds)
    if target.retention_seconds and first.start < horizon:
        what = f"target bucket {target.name!r} keeps points from {format_instant(horizon)} on and drops older ones"
        fix = "let it keep them longer, or roll up later windows"
        raise ConfigurationError(what, window=first, written="nothing", fix=fix)


def _stands_for_points(book: ReceiptBook, window: Interval) -> bool:
    receipt = book.previous.get(window)
    return receipt is not None and receipt.rows_in > 0


def _points_by_window(job: Job, tables: Iterable[pa.Table]) -> list[int]:
    """Source points of each window, over all fields."""
    bounds = window_bounds(job.windows)
    blocks = []
    for frame in frames_from_tables(tables):
        position, window = bounds.spread(frame.time_ns)
        blocks.append(Block("", frame.tag_sets, frame.series[position], window, frame.values[position]))
    return sum_by_window(job, blocks)
