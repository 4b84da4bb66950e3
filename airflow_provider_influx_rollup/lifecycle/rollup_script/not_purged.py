"""Windows of a user's script whose points were purged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import SourceChanging
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import read_marks
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

NAMED_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*==""")


def require_not_purged_for_script(
    ledger_bucket: str,
    buckets: Iterable[str],
    texts: Sequence[str],
    windows: Sequence[Interval],
    book: ReceiptBook | None = None,
) -> Steps[None]:
    """Refuse windows of a user's script whose points were purged.

    :param buckets: that the script reads
    :param texts: the script, and the values of its parameters
    :param windows: in ascending order
    :param book: with the claim of the run, which has run the script
    :raises SourceChanging: when another run, or an erasure, has claimed the windows since
    :raises WindowFrozen: when a measurement that was purged may be what the script reads
    """
    whole = "\n".join(texts)
    span = Interval.spanning(windows)
    overlapping = OverlappingMarks(ledger_bucket, None, span)
    claims: Mapping[datetime, str] = {}
    if book is None:
        starts = yield from ask(overlapping)
    else:
        starts, claims = yield from ask(together(overlapping, claims_of(book, windows)))
    for bucket in buckets:
        marks = (yield from read_marks(ledger_bucket, bucket, None, span, starts)).own
        # without a measurement that it names, a script reads all of them
        read = [mark for mark in marks if mark.measurement in whole or not NAMED_MEASUREMENT.search(whole)]
        purged = purged_windows(windows, read)
        if purged:
            raise purged[min(purged)]
    if book is not None and overtaken(book, windows, claims):
        what = "another run, or an erasure of what it reads, claimed the window while the script ran"
        raise SourceChanging(what, window=span, fix="run the window again")
