"""What a receipt says of a window that a run wants and nobody has begun: in a field of its own.

Who writes it has found no receipt, which may be there by now: the state of one that has begun the window stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_value
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State

#: JSON of fields that a receipt with a state has; empty as soon as a run has begun the window
PLAN = "planned"


class PlanTemplate:
    """The value of the field, as line protocol: made once for a run, whose windows differ in their times only.

    :param receipt: of one of the windows
    """

    __slots__ = ("_head",)

    def __init__(self, receipt: Receipt) -> None:
        # with those that are empty: the fields of an earlier run may be there
        told: dict[str, Any] = {
            "spec_hash": receipt.spec_hash,
            "template_hash": receipt.template_hash,
            "dag_id": receipt.dag_id,
            "task_id": receipt.task_id,
            "run_id": receipt.run_id,
            "reason": receipt.reason,
            "forced": receipt.forced,
            "try_number": receipt.try_number,
            "map_index": receipt.map_index,
        }
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
        self._head = encode_value(PLAN, text.removesuffix("}")).removesuffix('"')

    def value(self, stop_ns: int, written_at_ns: int) -> str:
        """That of one window."""
        return rf'{self._head},\"stop_ns\":{stop_ns},\"written_at_ns\":{written_at_ns}}}"'


def with_plan(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A receipt's row; that of a window which nobody has begun with what its plan says.

    :param row: with ``state`` or ``PLAN``; an earlier release has written PLANNED as a state
    """
    if not row.get(PLAN) or row.get("state") not in (None, "", State.PLANNED):
        return row
    return {**row, **json.loads(row[PLAN]), "state": State.PLANNED.value}
