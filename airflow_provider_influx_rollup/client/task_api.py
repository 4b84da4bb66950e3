"""InfluxDB's tasks API in our words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.client import task_requests
from airflow_provider_influx_rollup.client.labels import set_labels
from airflow_provider_influx_rollup.exceptions import InfluxRejected
from airflow_provider_influx_rollup.steps.tasks import (
    LabelTask,
    ListRuns,
    LogLine,
    NativeTask,
    TaskRun,
    UpdateTask,
)

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.requests import Request

NOT_FOUND = 404


class TaskApi:
    """Tasks of one organisation and their runs.

    :param org: its name
    :param ask_json: sends a request and returns its answer
    :param send: sends one whose answer is empty
    """

    def __init__(
        self, org: str, ask_json: Callable[[Request], dict[str, Any]], send: Callable[[Request], bytes]
    ) -> None:
        self._org = org
        self._ask_json = ask_json
        self._send = send

    def find(self, name: str | None = None) -> list[NativeTask]:
        """List tasks, the oldest first.

        :param name: only those of this name; None lists all
        """
        found: list[NativeTask] = []
        after: str | None = None
        while True:
            request = task_requests.list_tasks_request(self._org, name, after)
            page = [_task(item) for item in self._ask_json(request).get("tasks") or ()]
            found += page
            if len(page) < task_requests.MAX_TASKS:
                # the server's filter is its own; the name is ours
                return sorted((t for t in found if name in (None, t.name)), key=lambda t: t.id)
            after = page[-1].id

    def create(self, flux: str, status: str, description: str) -> NativeTask:
        """Create a task."""
        request = task_requests.create_task_request(self._org, flux, status, description)
        return _task(self._ask_json(request))

    def update(self, step: UpdateTask) -> NativeTask:
        """Replace script, status and description of a task."""
        request = task_requests.update_task_request(step.id, step.flux, step.status, step.description)
        return _task(self._ask_json(request))

    def label(self, step: LabelTask) -> None:
        """Give a task labels, and take others away; again it is the same."""
        task = step.task
        ids = set_labels(
            self._ask_json,
            task.org_id,
            step.labels,
            lambda _, label_id: task_requests.add_label_request(task.id, label_id),
        )
        for label_id in (ids[name] for name in step.obsolete if name in ids):
            self._send_unless_gone(task_requests.remove_label_request(task.id, label_id))

    def delete(self, task_id: str) -> None:
        """Delete a task; one that is gone is no error."""
        self._send_unless_gone(task_requests.delete_task_request(task_id))

    def start_run(self, task_id: str, scheduled_for: datetime) -> TaskRun:
        """Ask for a run."""
        return _run(self._ask_json(task_requests.start_run_request(task_id, scheduled_for)))

    def retry_run(self, task_id: str, run_id: str) -> TaskRun:
        """Ask for a run again."""
        return _run(self._ask_json(task_requests.retry_run_request(task_id, run_id)))

    def cancel_run(self, task_id: str, run_id: str) -> None:
        """Cancel a run; one that has ended is no error."""
        self._send_unless_gone(task_requests.cancel_run_request(task_id, run_id))

    def find_run(self, task_id: str, run_id: str) -> TaskRun | None:
        """Look a run up; None when InfluxDB does not know it."""
        try:
            return _run(self._ask_json(task_requests.find_run_request(task_id, run_id)))
        except InfluxRejected as error:
            if error.http_status != NOT_FOUND:
                raise
            return None

    def list_runs(self, step: ListRuns) -> list[TaskRun]:
        """List runs, the oldest first."""
        wanted = step.scheduled_for
        request = task_requests.list_runs_request(
            step.task_id, scheduled_for=wanted, after=step.after, limit=step.limit
        )
        runs = (_run(item) for item in self._ask_json(request).get("runs") or ())
        # one that ends now is told twice: as running, and as it ended
        found = {run.id: run for run in sorted(runs, key=lambda run: run.has_ended)}
        kept = [run for run in found.values() if wanted in (None, run.scheduled_for)]
        return sorted(kept, key=lambda run: run.id)

    def _send_unless_gone(self, request: Request) -> None:
        try:
            self._send(request)
        except InfluxRejected as error:
            if error.http_status != NOT_FOUND:
                raise


def _task(item: Mapping[str, Any]) -> NativeTask:
    return NativeTask(
        id=str(item["id"]),
        name=str(item["name"]),
        flux=str(item.get("flux", "")),
        status=str(item.get("status", "")),
        description=str(item.get("description") or ""),
        every=str(item.get("every") or ""),
        cron=str(item.get("cron") or ""),
        offset=str(item.get("offset") or ""),
        last_run_status=str(item.get("lastRunStatus") or ""),
        created_at=_instant(item, "createdAt"),
        labels=tuple(str(label["name"]) for label in item.get("labels") or ()),
        org_id=str(item.get("orgID") or ""),
    )


def _run(item: Mapping[str, Any]) -> TaskRun:
    scheduled_for = _instant(item, "scheduledFor")
    if scheduled_for is None:
        what = f"InfluxDB tells no time of run {item.get('id')}"
        raise InfluxRejected(what, fix="look at the task's runs in InfluxDB")
    return TaskRun(
        id=str(item["id"]),
        task_id=str(item["taskID"]),
        status=str(item["status"]),
        scheduled_for=scheduled_for,
        requested_at=_instant(item, "requestedAt"),
        started_at=_instant(item, "startedAt"),
        finished_at=_instant(item, "finishedAt"),
        log=tuple(LogLine(str(one["time"]), str(one["message"])) for one in item.get("log") or ()),
    )


def _instant(item: Mapping[str, Any], name: str) -> datetime | None:
    """A time of an answer; InfluxDB writes none as the year 1."""
    text = item.get(name)
    if not text:
        return None
    instant = datetime.fromisoformat(text).astimezone(UTC)
    return instant if instant.year > 1 else None
