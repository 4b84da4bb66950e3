"""What other DAGs were told of a window last, on the window's receipt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_influx_rollup.ledger.codec import RECEIPT_MEASUREMENT
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.windows.interval import Interval

ANNOUNCED, ANNOUNCED_BY = "announced", "announced_by"
#: what was told of windows that have no receipts, and the tag that names their place
TOLD_MEASUREMENT, TOLD_OF = "window_told", "told_of"


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


def encode_told(tags: Mapping[str, str], checksums: Mapping[Interval, str], author: str) -> list[str]:
    """One line for each window that has no receipt.

    :param tags: pipeline, stage and place
    :param checksums: what is told, by window
    :param author: who tells it
    """
    return [
        encode_line(TOLD_MEASUREMENT, tags, {ANNOUNCED: checksum, ANNOUNCED_BY: author}, window.start_ns)
        for window, checksum in checksums.items()
    ]
