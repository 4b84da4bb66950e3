"""What people should know of a run of a script, although it may be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_influx_rollup.flux.cuts import TimeCut
from airflow_provider_influx_rollup.flux.results import ScriptResults
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant


def unread_notes(results: ScriptResults) -> list[str]:
    """Writes that cannot be looked up in the target."""
    return [
        f"what {write.function}() on line {write.line} writes is not read back: numbers of rows leave it out, and each commit "
        "counts as a change of its window"
        for write in results.unread
    ]


def cut_notes(
    cuts: Iterable[TimeCut], windows: Sequence[Interval], window_period: Duration | None
) -> list[str]:
    """Windows that a script cuts in parts, as Flux counts from 1970 in UTC.

    :param window_period: what ``v.windowPeriod`` is; None: the length of each window
    """
    notes = []
    for cut in cuts:
        inside = (
            (window, cut.inside(window, window_period or Duration.of(window.duration))) for window in windows
        )
        first = next(((window, at) for window, at in inside if at is not None), None)
        if first is not None:
            every = "v.windowPeriod" if cut.every is None else str(cut.every)
            notes.append(
                f"{cut.function}() on line {cut.line} counts {every} from 1970 in UTC and cuts {first[0]} at {format_instant(first[1])}: "
                "each part has a row of its own; aggregate the range as a whole, or give it location: or offset:, see the guide to own scripts"
            )
    return notes


def shared_name_notes(book: ReceiptBook, windows: Iterable[Interval]) -> list[str]:
    """Windows that another task has committed under the same name, which neither of them was given."""
    mine = (book.run.dag_id, book.run.task_id)
    known = [book.previous[window] for window in windows if window in book.previous]
    others = [
        receipt
        for receipt in known
        if receipt.is_committed
        and receipt.spec_hash != book.spec_hash
        and (receipt.dag_id, receipt.task_id) != mine
        and receipt.dag_id
        and book.run.dag_id
    ]
    if not others:
        return []
    last = max(others, key=lambda receipt: receipt.written_at)
    note = (
        f"task {last.task_id!r} of DAG {last.dag_id!r} has committed {len(others)} of these windows with another script: receipts "
        f"of both are called {book.pipeline!r}, and one stands for the other; give each a pipeline= of its own"
    )
    return [note]
