"""The record of one window of one stage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The record of one window of one stage.

    :param pipeline: name of the pipeline
    :param stage: the verb, such as ``"rollup"``
    :param window: the window, in UTC
    :param generation: how often the window was committed
    :param rows_in: source points (field values) read
    :param rows_out: target field values, verified by reading the target back
    :param series: target series (tag sets)
    :param checksum: order-insensitive checksum of the target rows, 16 hex digits
    :param spec_hash: hash of what decides the rows
    :param template_hash: hash of the template that the script was made of, with what it includes; None without one
    :param written_at: when this record was written, UTC
    :param seconds: how long the stage took
    :param reason: why the window was written, such as ``"reconcile: new points"``; empty for an ordinary run
    :param forced: whether it was written although retention may have taken points of the window
    :param incomplete: what the window's source lacked when a sensor let it be rolled up anyway; empty when nothing is known
        to be lacking. Runs carry it on; a sensor or a reconcile that finds the source complete takes it away
    :param complete_when: JSON of what complete means for the window, for when ``incomplete`` is not empty
    :param merged_from: of a tier's window, the hash of what the tier below held when it was committed, 16 hex digits; empty or
        None when that is not known, and for all others
    :param claim_id: of the run that wrote it: a window is COMMITTED only by the run that claimed it last
    """

    pipeline: str
    stage: str
    window: Interval
    state: State
    written_at: datetime
    generation: int = 0
    rows_in: int = 0
    rows_out: int = 0
    series: int = 0
    checksum: str = ""
    spec_hash: str = ""
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    try_number: int = 0
    map_index: int = -1
    seconds: float = 0.0
    reason: str = ""
    forced: bool = False
    incomplete: str = ""
    complete_when: str = ""
    claim_id: str = ""
    template_hash: str | None = None
    merged_from: str | None = None

    @property
    def is_committed(self) -> bool:
        """Whether the window is done."""
        return self.state is State.COMMITTED
