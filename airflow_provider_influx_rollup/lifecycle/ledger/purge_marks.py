"""The ledger's marks of purged windows: set before anything is deleted, lifted when the points are back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.ledger.purges import LIFTED, PurgeMark, encode_mark
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.interval import Interval

FIX = "keep the rollup as it is, or restore the points from the archive first"


def lift_purge(
    ledger_bucket: str, bucket: str, measurement: str, interval: Interval
) -> Steps[list[Interval]]:
    """The points of an interval are back: what was purged there may be rolled up again.

    Of a window that sticks out of the interval only the rest stays marked.

    :param interval: all its points are in the bucket
    :return: what was marked and is not any more
    """
    if (yield from ask(FindBucket(ledger_bucket))) is None:
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
        yield from ask(Write(ledger_bucket, [encode_mark(mark) for mark in rests]))
    if marks:
        yield from ask(Write(ledger_bucket, [encode_mark(replace(mark, state=LIFTED)) for mark in marks]))


def put_back_marks(ledger_bucket: str, marks: Sequence[PurgeMark]) -> Steps[None]:
    """Set marks again that were lifted: their points went meanwhile."""
    yield from ask(Write(ledger_bucket, [encode_mark(mark) for mark in marks]))


def purged_windows(windows: Iterable[Interval], marks: Sequence[PurgeMark]) -> dict[Interval, WindowFrozen]:
    """The windows that lack points because they were purged, each with the reason."""
    found: dict[Interval, WindowFrozen] = {}
    for window in windows:
        mark = next((mark for mark in marks if mark.window.overlaps(window)), None)
        if mark is not None:
            found[window] = WindowFrozen(mark.text(), window=window, written="nothing", fix=FIX)
    return found
