"""Windows that a sensor let go incomplete: whether their source is complete by now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import InfluxRejected
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import look_at
from airflow_provider_influx_rollup.lifecycle.completeness.incomplete_windows import CompleteWhen
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps


@dataclass(slots=True)
class MarkedWindows:
    """The windows with a mark.

    :param complete: the source lacks nothing any more
    :param incomplete: it still does
    """

    complete: list[Receipt] = field(default_factory=list)
    incomplete: list[Receipt] = field(default_factory=list)


def look_again(receipts: Iterable[Receipt], now: datetime) -> Steps[MarkedWindows]:
    """Ask the sources of marked windows again, by what the sensor called complete; nothing without marks.

    To be asked before the windows are compared: what is complete then is in the rows afterwards.

    :param now: the present time
    """
    found = MarkedWindows()
    by_question: dict[str, list[Receipt]] = {}
    for receipt in receipts:
        if receipt.incomplete:
            by_question.setdefault(receipt.complete_when, []).append(receipt)
    for text, asked in by_question.items():
        is_complete = bool(text) and (yield from _is_complete(CompleteWhen.from_text(text), now))
        (found.complete if is_complete else found.incomplete).extend(asked)
    return found


def _is_complete(when: CompleteWhen, now: datetime) -> Steps[bool]:
    try:
        look = yield from look_at(when.spec, when.interval, now)
    except InfluxRejected as error:
        # such as a bucket that is gone: no reason to leave the windows dirty
        yield from ask(
            Report(f"{when.interval}: it is unknown whether its source is complete now: {error}", "warning")
        )
        return False
    return look.is_complete


def finished_windows(marked: MarkedWindows, result: ReconcileResult) -> list[Receipt]:
    """The complete windows whose rows are right now, so that their marks go.

    :param result: of the reconcile
    """
    wrong = {change.window for change in result.dirty} - set(result.repaired.windows)
    wrong |= {left.window for left in (*result.frozen, *result.waiting)} | set(result.failed)
    return [receipt for receipt in marked.complete if receipt.window not in wrong]
