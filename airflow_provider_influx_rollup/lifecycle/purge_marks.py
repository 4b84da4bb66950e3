"""The ledger's marks of purged windows: set before anything is deleted, lifted when the points are back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.purges import LIFTED, PurgeMark, encode_mark
from airflow_provider_influx_rollup.lifecycle.job import Job
from airflow_provider_influx_rollup.lifecycle.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.receipts import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.steps import FindBucket, Steps, Write
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.interval import Interval

NAMED_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*==""")
FIX = "keep the rollup as it is, or restore the points from the archive first"


def lift_purge(
    ledger_bucket: str, bucket: str, measurement: str, interval: Interval
) -> Steps[list[Interval]]:
    """The points of an interval are back: what was purged there may be rolled up again.

    Of a window that sticks out of the interval only the rest stays marked.

    :param interval: all its points are in the bucket
    :return: what was marked and is not any more
    """
    if (yield FindBucket(ledger_bucket)) is None:
        return []
    marks = yield from overlapping_marks(ledger_bucket, bucket, measurement, interval)
    yield from lift_marks(ledger_bucket, marks, interval)
    return [mark.window for mark in marks]


def lift_marks(ledger_bucket: str, marks: Sequence[PurgeMark], interval: Interval) -> Steps[None]:
    """Lift some marks, as far as they lie in an interval.

    :param marks: as they were read before the points were found to be there
    """
    rests = [replace(mark, window=rest) for mark in marks for rest in subtract([mark.window], [interval])]
    if rests:
        # before the whole is lifted: whoever looks in between finds too much marked, never too little
        yield Write(ledger_bucket, [encode_mark(mark) for mark in rests])
    if marks:
        yield Write(ledger_bucket, [encode_mark(replace(mark, state=LIFTED)) for mark in marks])


def put_back_marks(ledger_bucket: str, marks: Sequence[PurgeMark]) -> Steps[None]:
    """Set marks again that were lifted: their points went meanwhile."""
    yield Write(ledger_bucket, [encode_mark(mark) for mark in marks])


def purged_windows(windows: Iterable[Interval], marks: Sequence[PurgeMark]) -> dict[Interval, WindowFrozen]:
    """The windows that lack points because they were purged, each with the reason."""
    found: dict[Interval, WindowFrozen] = {}
    for window in windows:
        mark = next((mark for mark in marks if mark.window.overlaps(window)), None)
        if mark is not None:
            found[window] = WindowFrozen(mark.text(), window=window, written="nothing", fix=FIX)
    return found


def require_not_purged(job: Job, book: ReceiptBook, *, is_untouched: bool) -> Steps[None]:
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
        yield Write(spec.ledger_bucket, encode_receipts(before))
    raise error


def require_not_purged_for_script(
    ledger_bucket: str, buckets: Iterable[str], texts: Sequence[str], windows: Sequence[Interval]
) -> Steps[None]:
    """Refuse windows of a user's script whose points were purged.

    :param buckets: that the script reads
    :param texts: the script, and the values of its parameters
    :param windows: in ascending order
    :raises WindowFrozen: when a measurement that was purged may be what the script reads
    """
    whole = "\n".join(texts)
    for bucket in buckets:
        span = Interval(windows[0].start, windows[-1].stop)
        marks = yield from overlapping_marks(ledger_bucket, bucket, None, span)
        # without a measurement that it names, a script reads all of them
        read = [mark for mark in marks if mark.measurement in whole or not NAMED_MEASUREMENT.search(whole)]
        purged = purged_windows(windows, read)
        if purged:
            raise purged[min(purged)]
