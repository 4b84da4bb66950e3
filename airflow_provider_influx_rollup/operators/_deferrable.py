"""Stages that wait in the triggerer, and those whose whole work can be done there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.data_interval import code_of_run, run_info
from airflow_provider_influx_rollup.metrics import tell_result
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.settings import default_deferrable
from airflow_provider_influx_rollup.task_failures import (
    asking_first,
    failing_by_permanence,
    requests_of_event,
    result_of_event,
    seconds_of_event,
)
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger, stage_result
from airflow_provider_influx_rollup.windows.duration import DurationLike

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.interval import Interval


RETURN_VALUE = "return_value"


class DeferrableStageOperator(InfluxStageOperator):
    """Base of the stages that can wait in the triggerer.

    :param deferrable: wait in the triggerer; default: ``[influx_rollup] default_deferrable``
    """

    def __init__(self, *, deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = default_deferrable() if deferrable is None else deferrable

    @failing_by_permanence()
    def defer_until_due(self, context: Context, stop: datetime, lateness: DurationLike) -> None:
        """Give the worker slot back until late points have had their time; the task resumes in ``execute_due``.

        Nothing happens when it has passed, or when the window has not even ended: that is the verb's to refuse.

        :param context: Airflow's context
        :param stop: where the last window ends, aware
        :param lateness: how long after that its points may still come, a Flux duration
        :raises TaskDeferred: when it has not passed
        """
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from airflow_provider_influx_rollup.windows.duration import Duration

        due = stop + Duration.of(lateness, allow_zero=True).timedelta
        with asking_first():
            now = self.hook.get_conn().now()
        if stop <= now < due:
            with asking_first():
                self._push_links(context)
            self.log.info("Waiting for late data until %s (lateness %s)", due, lateness)
            # the triggerer looks at its own clock, not the server's; where it is fast, the verb waits for the rest
            trigger = DateTimeTrigger(moment=datetime.now(UTC) + (due - now))
            self.defer(trigger=trigger, method_name="execute_due", timeout=self.execution_timeout)


class DeferrableVerbOperator(DeferrableStageOperator):
    """Base of the stages that the triggerer can run as a whole: all they do is ask InfluxDB and wait."""

    @failing_by_permanence()
    def defer_verb(
        self,
        context: Context,
        spec: Mapping[str, Any],
        intervals: Sequence[Interval],
        *,
        verb: str | None = None,
    ) -> NoReturn:
        """Hand the verb to the triggerer and free the worker slot.

        :param context: Airflow's context
        :param spec: the verb's spec as JSON
        :param intervals: the intervals it is about
        :param verb: its name in the registry of triggers; default: the stage's
        :raises TaskDeferred: always
        """
        from airflow_provider_influx_rollup.client.tracing import trace_parent

        self.hook.get_conn()  # a missing token or host fails here, before the task is deferred
        with asking_first():
            self._push_links(context)
        trigger = LifecycleJobTrigger(
            verb=verb or self.verb,
            spec=spec,
            intervals=[interval.as_json() for interval in intervals],
            run_info=asdict(run_info(context)),
            influx_conn_id=self.influx_conn_id,
            org=self.org,
            trace_parent=trace_parent(),
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=self.execution_timeout)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Resume after the triggerer's event.

        :param context: Airflow's context
        :param event: what the trigger fired
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        with self._observed(code_of_run(context), seconds_of_event(event)) as seen:
            seen.requests = requests_of_event(event)
            seen.result = result = stage_result(result_of_event(event))
        tell_result(self.verb, result, is_dry_run=False, lateness=self.lateness_of_windows())
        self.lineage_results.append(result)
        self.link_result(context, result)
        self.log.info("%s in the triggerer: %s", self.verb, result)
        return self.react(context, result)

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """Act on what was found; nothing, where a stage has no choice of it.

        :param context: Airflow's context
        :param result: of the verb
        :return: what the task returns
        """
        return result

    def keep_result(self, context: Context, result: dict[str, Any]) -> None:
        """Keep the result where Airflow drops the return value: it does so on skips, failures and branches."""
        if self.do_xcom_push:
            context["ti"].xcom_push(key=RETURN_VALUE, value=result)
