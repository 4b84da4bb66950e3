"""From a declared script to the task that InfluxDB keeps: checked, and with its own ``v``."""

from __future__ import annotations

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRejected, ScriptInvalid
from airflow_provider_influx_rollup.flux.native_params import with_params
from airflow_provider_influx_rollup.flux.native_window import needs_window, with_window
from airflow_provider_influx_rollup.flux.plan import plan_extern
from airflow_provider_influx_rollup.flux.script import TaskOption
from airflow_provider_influx_rollup.lifecycle.native_tasks.changes import WantedTask
from airflow_provider_influx_rollup.lifecycle.native_tasks.record import DeployRecord, script_hash
from airflow_provider_influx_rollup.lifecycle.rollup_script.dry_run import EMPTY_TIME
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import plan_gate
from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import ABSENT, TaskSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import ParseScript, Query
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

NO_TASK = 'write option task = {name: "...", every: 1h, offset: 5m} into the script'


def wanted_task(spec: TaskSpec, window: Interval) -> Steps[WantedTask]:
    """Check the script, and give it a ``v`` where it reads one that it does not set.

    :param window: for messages
    :raises ScriptError: when the script cannot run
    :raises ConfigurationError: when it has no ``option task``, or its windows cannot be computed in InfluxDB
    """
    script = spec.flux or ""
    period = Duration.of(spec.every) if spec.every else Duration.of(window.duration)
    verdict = yield from plan_gate(
        script,
        window=window,
        window_period=period,
        params=spec.params,
        on_raw_read=spec.on_raw_read,
        is_native=True,
    )
    option = verdict.facts.task
    name = _name(option, spec)
    every = Duration.of(spec.every) if spec.every else option.every if option else None
    package = yield from ask(ParseScript(script))
    is_own = spec.params is not None
    if spec.params is not None:
        # InfluxDB binds nothing to the runs of its tasks
        script = with_params(script, package, spec.params)
        package = yield from ask(ParseScript(script))
    if needs_window(package):
        if every is None:
            what = f"task {name!r} has a cron, and reads v: how long its windows are is not known"
            raise ConfigurationError(what, written="nothing", fix="give every, such as every='1h'")
        script, is_own = with_window(script, package, every, spec.timezone), True
    if is_own and verdict.plan is not None:
        yield from _try_out(script, window)
    record = DeployRecord(
        name=name,
        script=script_hash(script),
        status=spec.state,
        dag_id=spec.dag_id,
        pipeline=spec.pipeline or "",
        every=every.to_flux() if every else "",
        timezone=spec.timezone,
    )
    return WantedTask(name, script, record, spec.flux or "")


def _name(option: TaskOption | None, spec: TaskSpec) -> str:
    """The task's name.

    :raises ConfigurationError: when the script has none, or another than is asked for
    """
    if option is None or not option.name:
        what = "the script has no option task with a name, so InfluxDB would not know when to run it"
        raise ConfigurationError(what, written="nothing", fix=NO_TASK)
    if option.every is None and option.cron is None and spec.state != ABSENT:
        what = f"the option task of {option.name!r} has neither every nor cron"
        raise ConfigurationError(what, written="nothing", fix=NO_TASK)
    if spec.name is not None and spec.name != option.name:
        what = f"name={spec.name!r}, but the script's option task has the name {option.name!r}"
        raise ConfigurationError(what, written="nothing", fix="make the two names equal, or leave name out")
    return option.name


def _try_out(script: str, window: Interval) -> Steps[None]:
    """Run the whole script where there is no data, with the ``v`` that was put in.

    :raises ScriptInvalid: when it cannot run
    """
    try:
        yield from ask(Query(script, extern=plan_extern(), now=EMPTY_TIME.stop, as_sent=True))
    except InfluxRejected as error:
        what = f"InfluxDB refuses the script with what was put into it: {error.what}"
        raise ScriptInvalid(
            what,
            window=window,
            written="nothing was read or written",
            fix="set v and params in the script itself",
        ) from error
