"""Steps about the tasks that InfluxDB runs itself, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_influx_rollup.step import Change, Step

ACTIVE = "active"
INACTIVE = "inactive"
#: statuses of runs that have ended
SUCCESS = "success"
FAILED = "failed"
CANCELED = "canceled"
ENDED = frozenset({SUCCESS, FAILED, CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeTask:
    """A task of InfluxDB.

    :param id: 16 hex digits, which rise with the time of creation
    :param flux: its script
    :param status: ``"active"`` or ``"inactive"``
    :param every: its Flux duration; empty for a task with a cron
    :param cron: its cron, in UTC; empty for a task with an every
    :param offset: how much later than its time it runs, a Flux duration; empty for none
    :param last_run_status: of the run that ended last; empty when there was none
    :param created_at: aware UTC; None when InfluxDB does not tell it
    :param labels: their names
    :param org_id: of its organisation; 16 hex digits
    """

    id: str
    name: str
    flux: str
    status: str
    description: str = ""
    every: str = ""
    cron: str = ""
    offset: str = ""
    last_run_status: str = field(default="", compare=False)
    created_at: datetime | None = None
    labels: tuple[str, ...] = field(default=(), compare=False)
    org_id: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a run's log."""

    time: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """A run of a task.

    :param status: ``"scheduled"``, ``"started"``, ``"success"``, ``"failed"`` or ``"canceled"``
    :param scheduled_for: what ``now()`` is in the run
    :param requested_at: when somebody asked for it, to the second; None for a run of the schedule
    :param log: its lines, as far as InfluxDB tells them
    """

    id: str
    task_id: str
    status: str
    scheduled_for: datetime
    requested_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    log: tuple[LogLine, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether its status is its last one."""
        return self.status in ENDED

    @property
    def has_failed(self) -> bool:
        """Whether it ended without success."""
        return self.has_ended and self.status != SUCCESS

    @property
    def seconds(self) -> float | None:
        """Duration of the run; None while it is under way."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class ListTasks(Step[list[NativeTask]]):
    """List the organisation's tasks, the oldest first.

    :param name: only those of this name, which need not be the only ones; None lists all
    """

    name: str | None = None


@dataclass(frozen=True, slots=True)
class CreateTask(Change[NativeTask]):
    """Create a task; another one of the same name does not hinder it."""

    flux: str
    status: str
    description: str


@dataclass(frozen=True, slots=True)
class UpdateTask(Change[NativeTask]):
    """Replace script, status and description of a task."""

    id: str
    flux: str
    status: str
    description: str


@dataclass(frozen=True, slots=True)
class LabelTask(Change[None]):
    """Give a task labels, and take others away; labels that the organisation lacks are made.

    :param labels: names of those to add
    :param obsolete: names of those to take away
    """

    task: NativeTask
    labels: tuple[str, ...]
    obsolete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteTask(Change[None]):
    """Delete a task; one that is gone is no error."""

    id: str


@dataclass(frozen=True, slots=True)
class StartRun(Change[TaskRun]):
    """Ask for a run of an active task.

    :param scheduled_for: what ``now()`` is in it, aware; may lie in the past
    """

    task_id: str
    scheduled_for: datetime


@dataclass(frozen=True, slots=True)
class RetryRun(Change[TaskRun]):
    """Ask for a failed run again; the answer is a run of its own."""

    task_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class CancelRun(Change[None]):
    """Cancel a run; one that has ended is no error."""

    task_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class FindRun(Step[TaskRun | None]):
    """Look a run up; None when InfluxDB does not know it."""

    task_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class ListRuns(Step[list[TaskRun]]):
    """List runs of a task, the oldest first.

    :param scheduled_for: only those of this time
    :param limit: the most that are listed, up to 500, the earliest ones
    :param after: only those that are scheduled after this time
    """

    task_id: str
    scheduled_for: datetime | None = None
    limit: int = 500
    after: datetime | None = None
