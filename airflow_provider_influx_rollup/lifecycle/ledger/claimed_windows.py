"""A window belongs to the run that claimed it last; no other run can commit it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.flux.ledger_read import ClaimedWindow, ClaimsOf, ReceiptsOf
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Sleep
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

OVERTAKEN = "another run claimed it meanwhile"
# for runs of the same windows that take turns: the one that gives way lets the other one's round end
MIN_WAIT, MAX_WAIT = timedelta(seconds=1), timedelta(minutes=1)


def claims_of(book: ReceiptBook, windows: Sequence[Interval]) -> ClaimsOf:
    """Ask who claimed some windows last."""
    return ClaimsOf(book.ledger_bucket, book.pipeline, book.stage, Interval.of_starts(windows))


def overtaken(
    book: ReceiptBook, windows: Iterable[Interval], claims: Mapping[datetime, ClaimedWindow]
) -> tuple[Interval, ...]:
    """The windows that another run has claimed since this one did.

    :param claims: by the windows' starts
    """
    theirs = {start for start, one in claims.items() if one.claim_id not in ("", book.claim_id)}
    return tuple(one for one in windows if one.start in theirs)


def committed_since(
    book: ReceiptBook, windows: Iterable[Interval], claims: Mapping[datetime, ClaimedWindow]
) -> tuple[Interval, ...]:
    """The windows that another run has committed between the plan of this one and its claim.

    :param claims: by the windows' starts
    """
    seen = book.seeing(windows, claims).previous
    return tuple(one for one in windows if seen.get(one) != book.previous.get(one))


def claim_again(
    book: ReceiptBook, windows: Sequence[Interval], round_time: timedelta, now: Clock
) -> Steps[ReceiptBook]:
    """Make windows WRITING again by a new claim, with what other runs have committed as what was there before.

    Of two runs at the same time one gives way for as long as a round takes, so that they do not overtake
    each other for ever.

    :param round_time: how long this run took to write the windows once
    """
    found = yield from ask(
        ReceiptsOf(book.ledger_bucket, book.pipeline, book.stage, Interval.of_starts(windows))
    )
    if any(one.state is State.WRITING and one.claim_id > book.claim_id for one in found):
        wait = min(max(MIN_WAIT, round_time), MAX_WAIT)
        yield from ask(Sleep(wait.total_seconds()))
        found = yield from ask(
            ReceiptsOf(book.ledger_bucket, book.pipeline, book.stage, Interval.of_starts(windows))
        )
    known = {one.window: one for one in found}
    book = replace(book, previous={**book.previous, **known}).claiming(now())
    yield from book.mark(windows, State.WRITING, now())
    return book
