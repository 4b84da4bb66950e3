"""Requests of InfluxDB's tasks API as values. Nothing is sent here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from airflow_provider_influx_rollup.client.requests import JSON_TYPE, Request, RequestKind, json_body, utf8
from airflow_provider_influx_rollup.windows.interval import format_instant

TASKS = "/api/v2/tasks"
MAX_TASKS = 500


def list_tasks_request(org: str, name: str | None, after: str | None) -> Request:
    """List tasks of the organisation.

    :param name: only those of this name; None lists all
    :param after: id of the last task of the page before
    """
    params = {"org": org, "limit": str(MAX_TASKS)}
    if name is not None:
        params["name"] = name
    if after is not None:
        params["after"] = after
    about = "listing the tasks" if name is None else f"looking for task {name!r}"
    return _request(about, "GET", TASKS, params=params)


def create_task_request(org: str, flux: str, status: str, description: str) -> Request:
    """Create a task; its name and times are those of its ``option task``."""
    body = {"org": org, "flux": flux, "status": status, "description": description}
    return _request("creating the task", "POST", TASKS, body=body, expected={201})


def update_task_request(task_id: str, flux: str, status: str, description: str) -> Request:
    """Replace script, status and description of a task."""
    body = {"flux": flux, "status": status, "description": description}
    return _request(f"updating task {task_id}", "PATCH", f"{TASKS}/{task_id}", body=body)


def add_label_request(task_id: str, label_id: str) -> Request:
    """Give a task a label."""
    path = f"{TASKS}/{task_id}/labels"
    return _request(f"labelling task {task_id}", "POST", path, body={"labelID": label_id}, expected={201})


def remove_label_request(task_id: str, label_id: str) -> Request:
    """Take a label away from a task."""
    path = f"{TASKS}/{task_id}/labels/{label_id}"
    return _request(f"taking a label from task {task_id}", "DELETE", path, expected={204})


def delete_task_request(task_id: str) -> Request:
    """Delete a task, with its runs."""
    return _request(f"deleting task {task_id}", "DELETE", f"{TASKS}/{task_id}", expected={204})


def start_run_request(task_id: str, scheduled_for: datetime) -> Request:
    """Ask for a run."""
    body = {"scheduledFor": format_instant(scheduled_for)}
    about = f"asking for a run of task {task_id}"
    return _request(about, "POST", f"{TASKS}/{task_id}/runs", body=body, expected={201})


def retry_run_request(task_id: str, run_id: str) -> Request:
    """Ask for a run again."""
    path = f"{TASKS}/{task_id}/runs/{run_id}/retry"
    return _request(f"asking for run {run_id} again", "POST", path, body={})


def cancel_run_request(task_id: str, run_id: str) -> Request:
    """Cancel a run."""
    path = f"{TASKS}/{task_id}/runs/{run_id}"
    return _request(f"canceling run {run_id}", "DELETE", path, expected={200, 204})


def find_run_request(task_id: str, run_id: str) -> Request:
    """Look a run up, with its log."""
    return _request(f"looking for run {run_id}", "GET", f"{TASKS}/{task_id}/runs/{run_id}")


def list_runs_request(
    task_id: str, *, scheduled_for: datetime | None, after: datetime | None, limit: int
) -> Request:
    """List runs.

    :param scheduled_for: only those around this time: the server's ends are not included
    :param after: only those that are scheduled after this time
    :param limit: the most that are listed
    """
    params = {"limit": str(limit)}
    if scheduled_for is not None:
        params["afterTime"] = format_instant(scheduled_for - timedelta(seconds=1))
        params["beforeTime"] = format_instant(scheduled_for + timedelta(seconds=1))
    elif after is not None:
        params["afterTime"] = format_instant(after)
    return _request(f"listing the runs of task {task_id}", "GET", f"{TASKS}/{task_id}/runs", params=params)


def _request(
    about: str,
    method: str,
    path: str,
    *,
    params: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    expected: set[int] | None = None,
) -> Request:
    query = f"?{urlencode({name: utf8(value) for name, value in params.items()})}" if params else ""
    return Request(
        kind=RequestKind.ADMIN,
        about=about,
        method=method,
        path=f"{path}{query}",
        body=None if body is None else json_body(body),
        headers={} if body is None else JSON_TYPE,
        expected=frozenset(expected or {200}),
    )
