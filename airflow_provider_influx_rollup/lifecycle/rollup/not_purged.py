"""Windows that were purged while a run computed them."""

from __future__ import annotations

from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps


def require_not_purged(job: RollupBlock, book: ReceiptBook, *, is_untouched: bool) -> Steps[None]:
    """Give windows up that a purge has taken since they were planned, before what was read of them is written.

    A purge marks its window, then reads the receipts, then deletes; a rollup makes its windows WRITING, reads the points,
    then reads the marks. So at least one of the two sees the other; and whatever a run has read before it finds no mark
    is whole, however long the run hangs in between.

    :param book: has the receipts that the windows had before they were WRITING
    :param is_untouched: whether the run has written none of their rows yet
    :raises WindowFrozen: when one of them is marked; the receipts are as before when the windows are untouched
    """
    spec = job.spec
    marks = yield from overlapping_marks(
        spec.ledger_bucket, spec.source_bucket, spec.measurement, job.read_interval
    )
    purged = purged_windows(job.windows, marks)
    if not purged:
        return
    error = purged[min(purged)]
    before = [book.previous[window] for window in job.windows if window in book.previous]
    if not is_untouched:
        error.written = None
        error.fix = "restore the points from the archive, then run it again"
    elif before:
        yield from ask(Write(spec.ledger_bucket, encode_receipts(before)))
    raise error
