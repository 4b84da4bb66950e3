"""From a window's receipts before and after a repair to how late its new points were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.ledger.lateness import LateArrival, TagSet
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval


def late_arrivals(
    spec: RollupSpec,
    before: Mapping[Interval, Receipt],
    after: Iterable[Receipt],
    *,
    late_series: Mapping[Interval, Mapping[TagSet, int]] | None = None,
) -> list[LateArrival]:
    """Records of the points that windows gained since they were committed.

    A window without an earlier commit, of another spec then, or without more points than then, gives none. Write the
    result to the ledger with ``encode_lateness``, in the same write as the receipts ``after``. A verb that compares
    windows with their source and finds some right also writes those with ``encode_check``: a report then knows that
    what came late to one of them came after that.

    :param spec: the rollup
    :param before: the receipt of each window before the repair, as the ledger had it
    :param after: the receipts that the repair commits, with their new generation
    :param late_series: points that each series gained in each window, where that is known: it
        also finds points that came while as many others went
    """
    if spec.source_tier is not None:
        return []  # what comes late to a tier is the repair of the tier below, whose points are recorded already
    found: list[LateArrival] = []
    for receipt in after:
        known = before.get(receipt.window)
        if known is None or not known.generation or known.spec_hash != receipt.spec_hash:
            continue
        gained = {tags: n for tags, n in (late_series or {}).get(receipt.window, {}).items() if n > 0}
        points = max(sum(gained.values()), receipt.rows_in - known.rows_in)
        if points > 0:
            found.append(_arrival(spec, receipt, points, _last_known(known), gained))
    return found


def _last_known(known: Receipt) -> datetime:
    """Until when the source cannot have had the points."""
    if not known.is_committed:
        return (
            known.window.stop
        )  # the receipt says when a run that died began, no longer when it was committed
    # the counts that the receipt stands for were read while it was made, not when it was written
    return max(known.window.stop, known.written_at - timedelta(seconds=known.seconds))


def _arrival(
    spec: RollupSpec, receipt: Receipt, points: int, since: datetime, gained: Mapping[TagSet, int]
) -> LateArrival:
    stop = receipt.window.stop
    at_most = max(receipt.written_at - stop, timedelta(0))
    return LateArrival(
        pipeline=spec.pipeline_name,
        measurement=spec.measurement,
        window=receipt.window,
        generation=receipt.generation,
        points=points,
        at_least_seconds=min(since - stop, at_most).total_seconds(),
        at_most_seconds=at_most.total_seconds(),
        found_at=receipt.written_at,
        by_series=tuple(sorted(gained.items(), key=lambda pair: (-pair[1], pair[0]))),
    )
