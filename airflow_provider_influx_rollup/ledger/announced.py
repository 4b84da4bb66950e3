"""What other DAGs were told of a window last, on the window's receipt."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.ledger.codec import RECEIPT_MEASUREMENT
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.ledger.receipt import Receipt

ANNOUNCED, ANNOUNCED_BY = "announced", "announced_by"


def encode_announced(receipts: Iterable[Receipt], author: str) -> list[str]:
    """One line for each receipt with only what is told: the state that a run writes meanwhile stays.

    :param author: who tells it
    """
    return [
        encode_line(
            RECEIPT_MEASUREMENT,
            {"pipeline": receipt.pipeline, "stage": receipt.stage},
            {ANNOUNCED: receipt.checksum, ANNOUNCED_BY: author},
            receipt.window.start_ns,
        )
        for receipt in receipts
    ]
