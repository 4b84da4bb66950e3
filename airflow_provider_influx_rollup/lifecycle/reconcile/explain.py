"""Explain why each dirty window is dirty, and which series gained points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_influx_rollup.aggregates.doubled import repeated_keys
from airflow_provider_influx_rollup.aggregates.frame import Codes, TagSet
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.reconcile.read import Findings, stored_checksums
from airflow_provider_influx_rollup.lifecycle.reconcile.reasons import Reason
from airflow_provider_influx_rollup.lifecycle.target.compare import ColumnValues, align
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Explanation of one dirty window.

    :param reasons: sorted
    :param series: how many series (tag sets) differ; None when they were not counted
    :param points: how many points the source has of the window now; None when they were not counted
    :param gained: points that series gained, where it is known
    :param lost: whether a series has fewer points than its row stands for
    """

    window: Interval
    reasons: tuple[Reason, ...]
    series: int | None = None
    points: int | None = None
    gained: Mapping[TagSet, int] | None = None
    lost: bool = False

    @property
    def is_of_receipt(self) -> bool:
        """Whether the rows are right, and only the receipt says something else."""
        return self.reasons == (Reason.OLD_RECEIPT,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The dirty rows of a block, in parallel arrays.

    :param growth: how many points more the source has than the row stands for; None when no count is stored
    """

    series: Codes
    window: Codes
    is_expected: NDArray[np.bool_]
    is_stored: NDArray[np.bool_]
    growth: Codes | None


def explain(findings: Findings, receipts: Mapping[Interval, Receipt]) -> dict[int, Change]:
    """Explain each dirty window, by its index.

    :param receipts: of the last commits
    """
    difference = findings.difference
    windows = findings.job.windows
    rows = _dirty_rows(findings)
    checksums = stored_checksums(findings, difference.windows.tolist())
    known = _Known(
        set((difference.stored // difference.window_count).tolist()),
        set((difference.expected // difference.window_count).tolist()),
    )
    changes: dict[int, Change] = {}
    for index in difference.windows.tolist():
        some = np.flatnonzero(rows.window == index)
        receipt = receipts.get(windows[index])
        is_altered = receipt is not None and receipt.checksum != checksums[index]
        points = findings.rows_in[index]
        came = points - (receipt.rows_in if receipt else 0)
        reasons = {_reason(rows, row, is_altered, came, known) for row in some.tolist()}
        growth = [] if rows.growth is None else rows.growth[some].tolist()
        series = [difference.tag_sets[number] for number in rows.series[some].tolist()]
        gained = {tags: n for tags, n in zip(series, growth, strict=False) if n > 0}
        lost = any(n < 0 for n in growth) or Reason.VANISHED_SERIES in reasons
        changes[index] = Change(
            window=windows[index],
            reasons=tuple(sorted(reasons)),
            series=len(some),
            points=points,
            gained=gained,
            lost=lost,
        )
    return changes


@dataclass(frozen=True, slots=True)
class _Known:
    """Series that have a row anywhere in the block."""

    stored: set[int]
    expected: set[int]


def _reason(rows: _Rows, row: int, is_altered: bool, came: int, known: _Known) -> Reason:
    """Explain why one row is dirty.

    :param is_altered: whether the target's rows of the window are not those that were committed
    :param came: how many points more than the receipt's the source has in the window
    """
    series = int(rows.series[row])
    if not rows.is_stored[row]:
        if is_altered and came <= 0:
            return Reason.MISSING_ROW
        return Reason.NEW_POINTS if series in known.stored else Reason.NEW_SERIES
    if not rows.is_expected[row]:
        if is_altered and came >= 0:
            return Reason.GHOST_ROW
        return Reason.FEWER_POINTS if series in known.expected else Reason.VANISHED_SERIES
    growth = came if rows.growth is None else int(rows.growth[row])
    return _change_of_row(growth, is_altered and came == 0)


def _change_of_row(growth: int, is_altered: bool) -> Reason:
    if is_altered:
        return Reason.ALTERED_ROW
    if growth:
        return Reason.NEW_POINTS if growth > 0 else Reason.FEWER_POINTS
    return Reason.OVERWRITTEN


def _dirty_rows(findings: Findings) -> _Rows:
    difference = findings.difference
    dirty = difference.dirty
    series, window = np.divmod(dirty, difference.window_count)
    return _Rows(
        series=series,
        window=window,
        is_expected=np.isin(dirty, difference.expected),
        is_stored=np.isin(dirty, difference.stored),
        growth=_growth(findings),
    )


def _growth(findings: Findings) -> Codes | None:
    """Points of each dirty row in the source beyond the target's count."""
    difference, spec = findings.difference, findings.job.spec
    counters = {field: f"{field}_count" for field in findings.job.fields}
    stored_columns = {column.name for column in findings.job.columns}
    if spec.source_tier is not None or not set(counters.values()) <= stored_columns:
        return None
    numbers = {tags: number for number, tags in enumerate(difference.tag_sets)}
    tag_sets, (points, stored) = align((findings.points, findings.stored), difference.window_count)
    # series of the points alone can only be rows that differ, which are all in the difference
    renumber = np.array([numbers.get(tags, -1) for tags in tag_sets], np.int64)
    growth = np.zeros(len(difference.dirty), np.int64)
    for field, counter in counters.items():
        for side, sign in ((points.get(field), 1), (stored.get(counter), -1)):
            if side is not None:
                growth += sign * _at(side, renumber, difference.window_count, difference.dirty)
    for counter in counters.values():
        if counter in stored:
            # which of the rows under several series keys stood for the points is not known
            doubled = repeated_keys(_moved(stored[counter].keys, renumber, difference.window_count))
            growth[np.isin(difference.dirty, doubled)] = 0
    return growth


def _at(values: ColumnValues, renumber: Codes, window_count: int, keys: Codes) -> Codes:
    """Values at some keys of another numbering; 0 where there is none."""
    moved = _moved(values.keys, renumber, window_count)
    order = np.argsort(moved, kind="stable")
    found, position = ColumnValues(moved[order], values.values[order]).at(keys)
    if not len(values.keys):
        return np.zeros(len(keys), np.int64)
    return np.where(found, values.values[order][position], 0).astype(np.int64)


def _moved(keys: Codes, renumber: Codes, window_count: int) -> Codes:
    series, window = np.divmod(keys, window_count)
    return renumber[series] * window_count + window
