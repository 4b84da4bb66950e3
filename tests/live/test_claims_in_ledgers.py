"""Receipts with and without the fields of claims: an earlier release wrote none, and other stages write none."""

from __future__ import annotations

import uuid
from itertools import combinations

import pytest

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.ledger_history import UnfinishedReceipts
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptStates, WritingReceipts
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.steps.influx import EnsureBucket
from tests.scenes.rollup_runs import interval

pytestmark = pytest.mark.live

SECOND = 1_000_000_000
DAY = interval("2025-03-08T00:00", "2025-03-09T00:00")
# a receipt of a window that nobody has begun
PLANNED = 'planned="{\\"stop_ns\\":1800000000000000000,\\"written_at_ns\\":7}"'
# what a receipt says, and whether the window counts as WRITING
RECEIPTS = (
    (PLANNED, False),
    ('state="COMMITTED"', False),
    ('state="WRITING"', True),
    ('state="COMMITTED",claimed_by="a"', False),
    ('state="COMMITTED",committed_by="a"', False),
    ('state="COMMITTED",claimed_by="a",committed_by="a"', False),
    ('state="COMMITTED",claimed_by="b",committed_by="a"', True),
    ('state="WRITING",claimed_by="a",committed_by="a"', True),
)


@pytest.fixture(scope="module")
def ledger(client: InfluxClient) -> str:
    name = f"ledger_{uuid.uuid4().hex[:10]}"
    act(EnsureBucket(name), client)
    return name


def with_times(fields: str, at: int) -> str:
    """The fields with the window's stop and the time of the receipt, which a plan has in its text."""
    return fields if fields == PLANNED else f"{fields},stop_ns={at + SECOND}i,written_at_ns=7i"


def test_window_counts_as_writing_whatever_fields_the_receipts_of_its_pipeline_have(
    client: InfluxClient, ledger: str
) -> None:
    chosen = [some for size in (1, 2) for some in combinations(RECEIPTS, size)] + [RECEIPTS]
    lines = [
        f"window_receipt,pipeline=p{number},stage=rollup {with_times(fields, at)} {at}"
        for number, some in enumerate(chosen)
        for at, (fields, _) in zip(range(DAY.start_ns, DAY.stop_ns, SECOND), some, strict=False)
    ]
    client.write_lines(ledger, lines)
    unfinished = [name for name, _ in act(UnfinishedReceipts(ledger, DAY), client)]
    for number, some in enumerate(chosen):
        expected = [is_writing for _, is_writing in some]
        writing = act(WritingReceipts(ledger, f"p{number}", "rollup", DAY), client)
        states = sorted(
            act(ReceiptStates(ledger, f"p{number}", "rollup", DAY), client), key=lambda s: s.window
        )
        assert len(writing) == sum(expected), some
        assert [one.state is State.WRITING for one in states] == expected, some
        assert unfinished.count(f"p{number}") == sum(expected), some
