"""What a rollup knows of its windows from their receipts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

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
