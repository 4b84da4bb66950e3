"""Find the dirty windows of a block: a cheap look at all of them, and a deep one where it saw something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.aggregates.frame import TagSet
from airflow_provider_influx_rollup.aggregates.selection import Selection
from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.reconcile.depth import depth_of, whole_depth
from airflow_provider_influx_rollup.lifecycle.reconcile.explain import Change, explain
from airflow_provider_influx_rollup.lifecycle.reconcile.read import (
    Findings,
    read_and_compare,
    stored_checksums,
)
from airflow_provider_influx_rollup.lifecycle.reconcile.reasons import Reason
from airflow_provider_influx_rollup.lifecycle.rollup.plan import job_of
from airflow_provider_influx_rollup.lifecycle.rollup.tier_commits import read_lower
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class Examined:
    """Dirty rows of a block.

    :param findings: both sides of at least the dirty windows; every column of what is to be written is in it
    :param changes: what is wrong, by the window's index in ``findings.job``
    :param whole: both sides of all windows, as far as the first look goes
    """

    findings: Findings
    changes: Mapping[int, Change]
    whole: Findings


def examine(job: RollupBlock, strict: bool | None, receipts: Mapping[Interval, Receipt]) -> Steps[Examined]:
    """Compare a block with its source.

    :param strict: see ``depth_of``
    :param receipts: of the last commits; windows without one are only compared
    """
    depth = depth_of(job, strict)
    first = yield from read_and_compare(job, depth)
    changes = explain(first, receipts)
    unlike = _unlike_receipt(first, receipts, (yield from read_lower(job)))
    if not depth.later:
        return Examined(first, _with_receipts(changes, first, unlike), first)
    suspects = sorted({*changes, *unlike})
    if not suspects:
        return Examined(first, {}, first)
    deep = yield from _look_deeper(first, suspects, is_row_known=len(suspects) == len(changes))
    known = {first.job.windows[index]: change for index, change in changes.items()}
    deep_changes = {
        index: known.get(change.window, change) for index, change in explain(deep, receipts).items()
    }
    places = [place for place, index in enumerate(suspects) if index in unlike]
    return Examined(deep, _with_receipts(deep_changes, deep, places), first)


def _with_receipts(
    changes: Mapping[int, Change], findings: Findings, unlike: Iterable[int]
) -> dict[int, Change]:
    """The changes, and the windows whose rows are right but not those of the receipt: they are committed again.

    :param unlike: windows whose numbers are not those of the receipt
    """
    windows, points = findings.job.windows, findings.rows_in
    old = {
        index: Change(window=windows[index], reasons=(Reason.OLD_RECEIPT,), series=0, points=points[index])
        for index in unlike
    }
    return old | dict(changes)


def _unlike_receipt(
    findings: Findings, receipts: Mapping[Interval, Receipt], lower: LowerWindows | None
) -> list[int]:
    """Windows whose number of points, rows in the target or rows of the tier below are not those of the receipt.

    :param lower: of a tier, what the tier below holds now
    """
    windows = findings.job.windows
    checksums = stored_checksums(findings, range(len(windows)))
    return [
        index
        for index, window in enumerate(windows)
        if (receipt := receipts.get(window)) is not None
        and (
            (receipt.rows_in, receipt.checksum) != (findings.rows_in[index], checksums[index])
            or (lower is not None and not lower.are_those_of(window, receipt.merged_from, receipt.written_at))
        )
    ]


def _look_deeper(first: Findings, suspects: Sequence[int], *, is_row_known: bool) -> Steps[Findings]:
    """Recompute everything of the windows that are suspect.

    :param is_row_known: whether the rows that differ are known, so that no others need be read
    """
    job = first.job
    windows = tuple(job.windows[index] for index in suspects)
    narrow = job_of(job.spec, windows, Selection(job.columns, ()), job.ownership)
    only: set[TagSet] | None = {tags for tags, _ in first.difference.pairs()} if is_row_known else None
    deep = yield from read_and_compare(narrow, whole_depth(narrow), only)
    return replace(deep, rows_in=[first.rows_in[index] for index in suspects])
