"""Bring a task into InfluxDB as it is declared: created, updated, adopted, paused or deleted, and twice is once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import InfluxForbidden, InfluxRejected, TaskDrifted
from airflow_provider_influx_rollup.lifecycle.native_tasks.changes import (
    Action,
    Change,
    WantedTask,
    change_of,
    removal_of,
)
from airflow_provider_influx_rollup.lifecycle.native_tasks.named import oldest_of
from airflow_provider_influx_rollup.lifecycle.native_tasks.record import obsolete_labels, record_of
from airflow_provider_influx_rollup.lifecycle.task_deploy.script import wanted_task
from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import ABSENT, TaskSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import (
    CreateTask,
    DeleteTask,
    LabelTask,
    ListTasks,
    NativeTask,
    UpdateTask,
)
from airflow_provider_influx_rollup.windows.interval import Interval

NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployResult:
    """Result of a deploy, or with ``dry_run`` its plan.

    :param task_id: None when there is no task
    :param status: of the task; None likewise
    """

    name: str
    task_id: str | None
    status: str | None
    change: Change
    script: str
    is_dry_run: bool

    def as_json(self) -> dict[str, object]:
        """The return value of the operator."""
        lines = self.change.diff.splitlines()[2:]
        return {
            "task": self.name,
            "task_id": self.task_id,
            "action": self.change.action.value,
            "changes": list(self.change.parts),
            "lines_added": sum(line.startswith("+") for line in lines),
            "lines_removed": sum(line.startswith("-") for line in lines),
            "status": self.status,
            "script": self.script,
            "dry_run": self.is_dry_run,
        }


def deploy_task(spec: TaskSpec, now: Callable[[], datetime], *, dry_run: bool = False) -> Steps[DeployResult]:
    """Deploy one task. A script that cannot run is refused before InfluxDB is asked to keep it.

    :param now: the clock
    :param dry_run: show what would change, and change nothing
    :raises ScriptError: when the script cannot run
    :raises TaskDrifted: when somebody has changed the task by hand, or it is another's
    """
    if spec.state == ABSENT:
        return (yield from _remove(spec, now, dry_run=dry_run))
    wanted = yield from wanted_task(spec, _window_before(now()))
    found = yield from _only(wanted.name, dry_run=dry_run)
    change = change_of(found, wanted, overwrite=spec.overwrite)
    yield from _tell(wanted.name, change, dry_run=dry_run)
    if not dry_run:
        _refuse_drift(wanted.name, change)
        found = yield from _carry_out(change, wanted, found)
        yield from _label(found, wanted)
    return DeployResult(
        name=wanted.name,
        task_id=found.id if found else None,
        status=found.status if found else None,
        change=change,
        script=wanted.record.script,
        is_dry_run=dry_run,
    )


def _carry_out(change: Change, wanted: WantedTask, found: NativeTask | None) -> Steps[NativeTask | None]:
    if change.action is Action.UNCHANGED:
        return found
    status, description = wanted.record.status, wanted.record.description()
    if found is not None:
        try:
            return (yield from ask(UpdateTask(found.id, wanted.flux, status, description)))
        except InfluxRejected as error:
            # another deploy has deleted it meanwhile
            if error.http_status != NOT_FOUND:
                raise
    yield from ask(CreateTask(wanted.flux, status, description))
    # another deploy, or a try whose answer was lost, may have created it too
    return (yield from _only(wanted.name, dry_run=False))


def _label(found: NativeTask | None, wanted: WantedTask) -> Steps[None]:
    """Set the labels; a token that may not is no error, as the description tells the same."""
    labels = wanted.record.labels()
    if found is None:
        return
    missing = tuple(name for name in labels if name not in found.labels)
    obsolete = obsolete_labels(found, labels)
    if not missing and not obsolete:
        return
    try:
        yield from ask(LabelTask(found, missing, obsolete))
    except InfluxForbidden as error:
        yield from ask(Report(f"task {wanted.name!r} does not get its labels: {error.what}"))


def _remove(spec: TaskSpec, now: Callable[[], datetime], *, dry_run: bool) -> Steps[DeployResult]:
    name = spec.name or (yield from wanted_task(spec, _window_before(now()))).name
    found = yield from _only(name, dry_run=dry_run)
    change = removal_of(found, overwrite=spec.overwrite)
    yield from _tell(name, change, dry_run=dry_run)
    if not dry_run:
        _refuse_drift(name, change)
        if found is not None:
            yield from ask(DeleteTask(found.id))
    return DeployResult(
        name=name,
        task_id=found.id if found else None,
        status=None,
        change=change,
        script="",
        is_dry_run=dry_run,
    )


def _only(name: str, *, dry_run: bool) -> Steps[NativeTask | None]:
    """The task of a name; of several that deploys have made at the same time the oldest stays, the others are deleted.

    :param dry_run: delete none
    :return: else the one that had it until somebody has renamed it by hand
    :raises ConfigurationError: when several have the name and one is not of a deploy
    """
    found = yield from ask(ListTasks(name))
    oldest, others = oldest_of(found)
    for other in others:
        goes = "would be deleted" if dry_run else "is deleted"
        yield from ask(
            Report(
                f"task {name!r} was deployed twice at the same time: {other.id} {goes}, {found[0].id} stays"
            )
        )
        if not dry_run:
            yield from ask(DeleteTask(other.id))
    return oldest or (yield from _renamed(name))


def _renamed(name: str) -> Steps[NativeTask | None]:
    """The task that was deployed under a name, and has another one since somebody has changed it by hand."""
    for task in (yield from ask(ListTasks())):
        record = record_of(task)
        if record is not None and record.name == name:
            return task
    return None


def _tell(name: str, change: Change, *, dry_run: bool) -> Steps[None]:
    would = "would be " if dry_run and change.action not in (Action.UNCHANGED, Action.DRIFTED) else ""
    told = f"task {name!r}: {would}{change.action.value}"
    yield from ask(Report(f"{told}\n{change.diff}" if change.diff else told))


def _refuse_drift(name: str, change: Change) -> None:
    if change.action is not Action.DRIFTED:
        return
    differs = f"{' and '.join(change.parts)} {'differs' if len(change.parts) == 1 else 'differ'}"
    of_whom = "is not as it was deployed" if change.is_of_deploy else "was made by no deploy"
    what = f"task {name!r} in InfluxDB {of_whom}: {differs}"
    fix = "bring the change into the script (dry_run=True shows it), or set overwrite=True to lose it"
    raise TaskDrifted(what, written="nothing", fix=fix)


def _window_before(now: datetime) -> Interval:
    """A window for messages of the gate: the last full hour."""
    stop = now.replace(minute=0, second=0, microsecond=0)
    return Interval(stop - timedelta(hours=1), stop)
