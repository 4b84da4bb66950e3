"""Declare what a task of InfluxDB computes, and prove on its last windows that the declaration gives the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxForbidden,
    InfluxRejected,
    InfluxUnauthorized,
    OrgNotFound,
)
from airflow_provider_influx_rollup.flux.native_window import needs_window, without_window
from airflow_provider_influx_rollup.flux.plain_task import plain_task
from airflow_provider_influx_rollup.flux.script import TaskOption, script_facts
from airflow_provider_influx_rollup.lifecycle.native_tasks.named import task_of_name
from airflow_provider_influx_rollup.lifecycle.native_tasks.record import record_of
from airflow_provider_influx_rollup.lifecycle.task_adopt.forms import Declaration, declaration_of
from airflow_provider_influx_rollup.lifecycle.task_adopt.proof import Proof, prove_rollup, prove_script
from airflow_provider_influx_rollup.lifecycle.task_adopt.schedule import RunWindows, run_windows
from airflow_provider_influx_rollup.lifecycle.task_adopt.spec import TASK, AdoptSpec, ReadTask
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import ParseScript
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.tasks import NativeTask
from airflow_provider_influx_rollup.windows.duration import Duration


@dataclass(frozen=True, slots=True)
class Adoption:
    """A task, its declaration, and the proof that both give the same rows."""

    found: ReadTask
    declaration: Declaration
    proof: Proof


def adopt_task(spec: AdoptSpec, now: Callable[[], datetime]) -> Steps[Adoption]:
    """Read a task, and declare it. Nothing is written, neither into buckets nor to the task.

    :param now: the clock
    :raises TaskNotFound: when there is none of this name
    :raises ConfigurationError: when the task cannot be understood, or not be declared in the form that is asked for
    """
    task = yield from task_of_name(spec.name)
    found = yield from _read(task)
    runs = run_windows(found.option, now(), spec.windows, spec.until)
    declaration = declaration_of(found, spec, runs)
    return Adoption(found, declaration, (yield from _prove(found, declaration, runs)))


def _prove(found: ReadTask, declaration: Declaration, runs: RunWindows) -> Steps[Proof]:
    if declaration.rollup is not None and found.plain is not None:
        return (yield from prove_rollup(found, found.plain, declaration.rollup, runs))
    if declaration.form == TASK:
        return Proof(unproven="InfluxDB keeps running the same script: there is nothing to compare")
    return (yield from prove_script(found, declaration.target_bucket, runs))


def _read(task: NativeTask) -> Steps[ReadTask]:
    """Have the server parse the script.

    :raises ConfigurationError: when it does not, or the script has no ``option task``
    """
    script = without_window(task.flux)
    try:
        package = yield from ask(ParseScript(script))
    except (InfluxUnauthorized, InfluxForbidden, OrgNotFound):
        raise
    except InfluxRejected as error:
        what = f"the script of task {task.name!r} cannot be read: {error.what}"
        raise ConfigurationError(what, written="nothing", fix="correct the script in InfluxDB") from error
    facts = script_facts(package)
    if facts.task is None or (facts.task.every is None and not facts.task.cron):
        what = f"the option task of {task.name!r} says neither every nor cron as plain values"
        fix = "write both as literals in the script, or declare its windows yourself"
        raise ConfigurationError(what, written="nothing", fix=fix)
    plain, reasons = plain_task(package, facts.task)
    own_windows = _own_windows(task, package, facts.task)
    return ReadTask(
        task=task,
        script=script,
        package=package,
        facts=facts,
        option=facts.task,
        plain=None if own_windows else plain,
        reasons=(*reasons, *own_windows),
        own_windows=own_windows,
    )


def _own_windows(task: NativeTask, package: Mapping[str, Any], option: TaskOption) -> tuple[str, ...]:
    """Why the windows of a ``v`` that a deploy has put in are not those between the runs."""
    record = record_of(task)
    if record is None or not record.every or not needs_window(package):
        return ()
    if option.every == Duration.parse(record.every) and record.timezone == "UTC":
        return ()
    return (
        f"its v is the last window of {record.every} in {record.timezone}, and not the time between two runs",
    )
