"""Windows that were made of another bucket: what is left of them must not be replaced by less."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from airflow_provider_influx_rollup.aggregates.hierarchy import TierRules
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.source.size import count_cells
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

FIX = "bring the points into this bucket first, or set force=True to roll up what is there"


def windows_of_others(
    spec: RollupSpec,
    stored: Sequence[StoredSpec],
    receipts: Iterable[Receipt],
    purged: Sequence[PurgeMark],
) -> list[Receipt]:
    """The receipts of windows that were made of a bucket which is not the source now, though no one has said so.

    :param stored: the specs of the ledger with the present names of all buckets
    :param purged: marks of other buckets, whose points the pipeline has read
    """
    hashes = {
        one.spec_hash
        for one in stored
        if one.pipeline == spec.pipeline_name and _was_called_like(spec, one.values)
    }
    return [
        receipt
        for receipt in receipts
        if receipt.rows_in
        and (receipt.spec_hash in hashes or any(mark.window.overlaps(receipt.window) for mark in purged))
    ]


def require_no_fewer(
    spec: RollupSpec, rules: AggregateRules | TierRules, others: Sequence[Receipt]
) -> Steps[dict[Interval, WindowFrozen]]:
    """The windows of which the source has fewer points than they stand for, each with the reason.

    :param others: what ``windows_of_others`` found
    """
    if not others:
        return {}
    cells = yield from count_cells(spec, rules, Interval.spanning([one.window for one in others]))
    found = {}
    for receipt in others:
        there = cells.inside(receipt.window)
        if there < receipt.rows_in:
            what = (
                f"the window was made of {receipt.rows_in:,} points of another bucket than that which is called "
                f"{spec.source_bucket!r} now, and that one has {there:,}"
            )
            found[receipt.window] = WindowFrozen(what, window=receipt.window, written="nothing", fix=FIX)
    return found


def _was_called_like(spec: RollupSpec, values: Mapping[str, object]) -> bool:
    """Whether a stored spec read another bucket, which had the name that the source has now."""
    names = values.get("hashed_as")
    if not isinstance(names, list | tuple) or values.get("source_bucket") == spec.source_bucket:
        return False
    return re.fullmatch(rf"{re.escape(spec.source_bucket)}( [0-9a-f]{{16}})?", str(names[0])) is not None
