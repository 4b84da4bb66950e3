"""Run a lifecycle verb in the triggerer, while the task waits without a worker slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.airflow_compat import BaseTrigger, TriggerEvent
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.task_failures import asking_first, error_event

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.steps.step import Steps

#: verbs that can be deferred; ``lifecycle.<verb>.<verb>`` has ``steps_from_job(job, now) -> Steps``, and now is the clock
VERBS = (
    "rollup",
    "rollup_script",
    "reconcile",
    "query",
    "query_batch",
    "deadman",
    "validate",
    "task_run",
    "task_wait",
)
FOLDER = "airflow_provider_influx_rollup.lifecycle"


def steps_of_verb(verb: str) -> Callable[[Mapping[str, Any], Callable[[], datetime]], Steps[Any]]:
    """The function that makes a verb's steps from a job.

    :param verb: one of ``VERBS``
    :raises ConfigurationError: when there is no such verb
    """
    if verb not in VERBS:
        what = f"there is no lifecycle verb {verb!r}"
        raise ConfigurationError(what, fix=f"use one of {', '.join(sorted(VERBS))}")
    entry = import_module(f"{FOLDER}.{verb}.{verb}")
    function: Callable[[Mapping[str, Any], Callable[[], datetime]], Steps[Any]] = entry.steps_from_job
    return function


def stage_result(result: Any) -> dict[str, Any]:
    """A verb's result as the small JSON dict that stages return.

    :param result: a mapping, or an object with ``as_json()``
    """
    return dict(result) if isinstance(result, Mapping) else dict(result.as_json())


class LifecycleJobTrigger(BaseTrigger):
    """Drives one verb; each of its steps runs in a thread. Fires one event with the result or the error.

    The job is rebuilt from these arguments when another triggerer takes over; verbs may be run again.

    :param verb: one of ``VERBS``
    :param spec: the verb's spec as JSON
    :param intervals: ``{"start", "stop"}`` in RFC 3339
    :param run_info: who asked, as JSON
    :param influx_conn_id: the connection
    :param org: organisation's name; default: the connection's
    :param trace_parent: header of the task's span, where there is one
    """

    def __init__(
        self,
        verb: str,
        spec: Mapping[str, Any],
        intervals: Sequence[Mapping[str, str]],
        run_info: Mapping[str, Any],
        influx_conn_id: str = DEFAULT_CONN_ID,
        org: str | None = None,
        trace_parent: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.verb = verb
        self.spec = dict(spec)
        self.intervals = [dict(interval) for interval in intervals]
        self.run_info = dict(run_info)
        self.influx_conn_id = influx_conn_id
        self.org = org
        self.trace_parent = trace_parent

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        kwargs = {"verb": self.verb, **self.job(), "influx_conn_id": self.influx_conn_id, "org": self.org}
        if self.trace_parent is not None:
            kwargs["trace_parent"] = self.trace_parent
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    def job(self) -> dict[str, Any]:
        """Arguments of the verb: spec, intervals and run_info."""
        return {"spec": self.spec, "intervals": self.intervals, "run_info": self.run_info}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Drive the verb to its end and fire one event."""
        from airflow_provider_influx_rollup.client.tally import counting

        began = time.monotonic()
        with counting() as counts:
            try:
                event: dict[str, Any] = {"status": "success", "result": await self._result()}
            except InfluxRollupError as error:
                event = error_event(error)
        event["seconds"] = time.monotonic() - began
        event["requests"] = counts.as_json()
        yield TriggerEvent(event)  # type: ignore[no-untyped-call, unused-ignore]

    async def _result(self) -> dict[str, Any]:
        from airflow_provider_influx_rollup.client.driver import adrive
        from airflow_provider_influx_rollup.client.tracing import span_facts, stage_span

        with stage_span(self.verb, self.run_info, trace_parent=self.trace_parent) as span:
            client = await InfluxRollupHook(self.influx_conn_id, org=self.org).aget_conn()
            # asks the server where it has not told its time yet: not on the event loop
            with asking_first():
                await asyncio.to_thread(client.now)
            done = await adrive(steps_of_verb(self.verb)(self.job(), client.now), client, self._report)
            result = stage_result(done)
            span.add(span_facts(result))
        return result

    def _report(self, report: Report) -> None:
        log = self.log.warning if report.level == "warning" else self.log.info
        log("%s", report.message)
