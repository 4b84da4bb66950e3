"""The task that checks: statuses of the same check by another one are not its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from airflow_provider_influx_rollup.flux.deadman import WrittenStatus
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class CheckingTask:
    """A task of Airflow, or none.

    :param number: the same for all runs of the task; None when no task checks, as on the command line
    :param is_mapped: whether it is one of several, whose numbers shift when one is added before them
    """

    number: int | None
    is_mapped: bool = False

    @classmethod
    def of(cls, run: RunInfo) -> Self:
        """The task of a run; each instance of a mapped task is one."""
        if not run.task_id:
            return cls(None)
        # a field of integers holds 63 bits
        number = text_hash(f"{run.dag_id}\0{run.task_id}\0{run.map_index}", "checked by") >> 1
        return cls(number, is_mapped=run.map_index >= 0)

    def is_other(self, status: WrittenStatus) -> bool:
        """Whether another task wrote a status; those of unknown origin are its own."""
        return self.number is not None and status.checked_by not in (None, self.number)
