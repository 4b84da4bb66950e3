"""The task of a name: InfluxDB lets several have the same."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.exceptions import ConfigurationError, TaskNotFound
from airflow_provider_influx_rollup.lifecycle.native_tasks.record import record_of
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import ListTasks, NativeTask


def oldest_of(found: Sequence[NativeTask]) -> tuple[NativeTask | None, Sequence[NativeTask]]:
    """Return the oldest of tasks of one name, and the others, which deploys at the same time have made.

    :param found: the oldest first
    :raises ConfigurationError: when there are several and one is not as a deploy has left it
    """
    if len(found) < 2:
        return (found[0] if found else None), ()
    records = [(task, record_of(task)) for task in found]
    foreign = [task.id for task, record in records if record is None or not record.matches(task)]
    if foreign:
        ids = ", ".join(task.id for task in found)
        what = f"{len(found)} tasks of InfluxDB are called {found[0].name!r} ({ids}), and not all are as deployed"
        raise ConfigurationError(what, written="nothing", fix="rename or delete all but one in InfluxDB")
    return found[0], found[1:]


def task_of_name(name: str) -> Steps[NativeTask]:
    """Return the task of a name.

    :raises TaskNotFound: when there is none
    :raises ConfigurationError: when there are several, and it is not clear which is meant
    """
    oldest, _ = oldest_of((yield from ask(ListTasks(name))))
    if oldest is None:
        what = f"InfluxDB has no task {name!r}, or the token may not read it"
        raise TaskNotFound(
            what, written="nothing", fix="deploy it first, correct the name, or let the token read tasks"
        )
    return oldest
