"""Act out the steps about tasks of InfluxDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.steps.tasks import (
    CancelRun,
    CreateTask,
    DeleteTask,
    FindRun,
    LabelTask,
    ListRuns,
    ListTasks,
    RetryRun,
    StartRun,
    UpdateTask,
)

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

TASK_ACTIONS: Mapping[type[Any], Callable[[InfluxClient, Any], Any]] = {
    ListTasks: lambda client, step: client.tasks.find(step.name),
    CreateTask: lambda client, step: client.tasks.create(step.flux, step.status, step.description),
    UpdateTask: lambda client, step: client.tasks.update(step),
    LabelTask: lambda client, step: client.tasks.label(step),
    DeleteTask: lambda client, step: client.tasks.delete(step.id),
    StartRun: lambda client, step: client.tasks.start_run(step.task_id, step.scheduled_for),
    RetryRun: lambda client, step: client.tasks.retry_run(step.task_id, step.run_id),
    CancelRun: lambda client, step: client.tasks.cancel_run(step.task_id, step.run_id),
    FindRun: lambda client, step: client.tasks.find_run(step.task_id, step.run_id),
    ListRuns: lambda client, step: client.tasks.list_runs(step),
}
