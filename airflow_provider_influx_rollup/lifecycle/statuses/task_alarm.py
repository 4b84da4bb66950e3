"""Alarms of tasks as statuses: raised for the window of a run, and cleared once when that window succeeds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from airflow_provider_influx_rollup.flux.deadman import LastStatuses
from airflow_provider_influx_rollup.flux.series import Series, series_of
from airflow_provider_influx_rollup.lifecycle.run.margins import RECORDS_AHEAD
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import (
    Check,
    Status,
    write_of_statuses,
)
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

OK = "ok"
# how far back an alarm is looked for that may be cleared
LOOKBACK = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class TaskOfWindow:
    """A task's run for one window.

    :param task_id: empty when it is the run of the DAG as a whole
    :param window: as text; empty when the run has none
    """

    dag_id: str
    task_id: str
    window: str
    map_index: int = -1

    @property
    def check(self) -> Check:
        """One check for each DAG."""
        return Check(f"airflow {self.dag_id}", "airflow_task", "custom")

    @property
    def series(self) -> Series:
        """The tags of its statuses: another window is another series, whose success says nothing of this one."""
        tags = {"dag_id": self.dag_id, "task_id": self.task_id, "window": self.window}
        return series_of(tags | ({"map_index": str(self.map_index)} if self.map_index >= 0 else {}))


class Alarm(Protocol):
    """What has a status of its own."""

    @property
    def check(self) -> Check:
        """The check that its statuses are of."""

    @property
    def series(self) -> Series:
        """The tags of its statuses."""


def tell_status(status_bucket: str, task: Alarm, level: str, message: str, now: datetime) -> Steps[bool]:
    """Write a status; ``ok`` only when the last one was another: one message for one recovery.

    So a window that never failed leaves no trace, and the bucket gets series for failed windows only.

    :param level: ``ok``, ``info``, ``warn`` or ``crit``
    :param now: the present time, which is the status's
    :return: whether it was written
    """
    if level == OK:
        span = Interval(now - LOOKBACK, now + RECORDS_AHEAD)
        written = yield from ask(LastStatuses(status_bucket, task.check.id, span))
        known = sorted((one.time, one.level) for one in written if one.series == task.series)
        if not known or known[-1][1] == OK:
            return False
        message = f"{message}, after {known[-1][1]}"
    status = Status(series=task.series, level=level, message=message, source_time=now, is_dead=False)
    yield from ask(write_of_statuses(status_bucket, task.check, [status], now))
    yield from ask(Report(f"status {level} of {task.check.name} written to {status_bucket}"))
    return True
