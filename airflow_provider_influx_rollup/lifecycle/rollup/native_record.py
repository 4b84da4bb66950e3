"""The record that a rollup keeps in the description of a task that computes for it, so that others can tell whose it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import WindowError
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.steps.tasks import NativeTask

MARK = "Computes for influx-rollup "


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputingRecord:
    """Whose task it is.

    :param run: the run of the DAG, whatever try of it; empty for a run without one
    :param claim: of the windows
    :param ledger_bucket: where its rows are put aside
    :param measurement: their name
    :param start: of what they may cover, RFC 3339
    :param stop: likewise
    :param made_at: when the task was made, RFC 3339
    """

    pipeline: str
    run: str
    claim: str
    ledger_bucket: str
    measurement: str
    start: str
    stop: str
    made_at: str

    @property
    def interval(self) -> Interval:
        """What the rows may cover."""
        return Interval.from_json({"start": self.start, "stop": self.stop})

    @property
    def made(self) -> datetime:
        """When the task was made."""
        return datetime.fromisoformat(self.made_at)

    def description(self) -> str:
        """The description of the task."""
        return MARK + json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)


def computing_record_of(task: NativeTask) -> ComputingRecord | None:
    """The record in a task's description; None when no rollup has written it, or it was changed by hand."""
    mark, found, text = task.description.partition(MARK)
    if mark or not found:
        return None
    try:
        values = json.loads(text)
        record = ComputingRecord(**values)
        is_whole = all(isinstance(value, str) for value in values.values())
        bounds = record.interval.start, record.interval.stop, record.made
    except (ValueError, TypeError, KeyError, WindowError):
        return None
    return record if is_whole and all(instant.tzinfo for instant in bounds) else None


def task_name(pipeline: str) -> str:
    """The name of all tasks that compute for a pipeline."""
    return f"influx-rollup computes {pipeline}"


def run_key(run: RunInfo) -> str:
    """The run of a DAG, whatever try of it; empty when there is none: two runs of a person may have one name."""
    if not run.dag_id or not run.run_id:
        return ""
    return json.dumps([run.dag_id, run.task_id, run.run_id, run.map_index], ensure_ascii=False)
