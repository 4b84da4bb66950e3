"""What a rollup knows of its windows from their receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

HOUR = timedelta(hours=1)
HOURS = [Interval(EPOCH + number * HOUR, EPOCH + (number + 1) * HOUR) for number in range(4)]


class LookedUp(dict[Any, Any]):
    """Receipts of all windows of a long run: a block of it must not go through them."""

    def items(self) -> Any:
        pytest.fail("a block of a few windows went through the receipts of all")

    __iter__ = values = keys = items


def book(previous: Mapping[Interval, Receipt]) -> ReceiptBook:
    return ReceiptBook(
        ledger_bucket="ledger",
        pipeline="hourly",
        stage="rollup",
        spec_hash="hash",
        run=RunInfo(),
        previous=previous,
    )


def test_block_looks_up_its_own_windows_when_it_asks_what_is_known_of_them() -> None:
    states = (State.COMMITTED, State.WRITING, State.PLANNED)
    known = LookedUp(
        (hour, Receipt(pipeline="hourly", stage="rollup", window=hour, state=state, written_at=EPOCH))
        for hour, state in zip(HOURS, states, strict=False)
    )
    assert book(known).unknown(HOURS) == [HOURS[3]]
    assert book(known).committed_before(HOURS) == 1
    assert book(known).committed_before([HOURS[1], HOURS[2]]) == 0


@given(
    known=st.sets(st.sampled_from(HOURS)),
    forced=st.sets(st.sampled_from(HOURS)),
    state=st.sampled_from((State.WRITING, State.PLANNED)),
    text=st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])),
)
def test_lines_of_many_windows_are_those_of_each_receipt(
    known: set[Interval], forced: set[Interval], state: State, text: str
) -> None:
    previous = {
        hour: Receipt(
            pipeline="hourly",
            stage="rollup",
            window=hour,
            state=State.COMMITTED,
            written_at=EPOCH,
            generation=number + 1,
            rows_in=7 * number,
            template_hash="older" if number % 2 else None,
        )
        for number, hour in enumerate(HOURS)
        if hour in known
    }
    made = replace(book(previous), forced=frozenset(forced), run=RunInfo(dag_id="d", reason=text))
    each = [made.receipt(hour, state, EPOCH + HOUR) for hour in HOURS]
    # one receipt at a time: what some of them share is told by none
    lines = [line for number, one in enumerate(each) for line in encode_receipts([one], number)]
    assert made.lines(HOURS, state, EPOCH + HOUR) == lines
    assert [one.generation for one in each] == [
        number + 1 if hour in known else 0 for number, hour in enumerate(HOURS)
    ]
    assert [one.forced for one in each] == [hour in forced for hour in HOURS]
