"""Wait until a task of InfluxDB has run for the data interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_influx_rollup.airflow_compat import BaseSensorOperator, Context, PokeReturnValue
from airflow_provider_influx_rollup.airflow_compat import timezone as airflow_timezone
from airflow_provider_influx_rollup.data_interval import interval_of_run
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.hooks.influx import DEFAULT_CONN_ID, InfluxRollupHook
from airflow_provider_influx_rollup.settings import default_deferrable
from airflow_provider_influx_rollup.task_failures import failing_by_permanence, result_of_event
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger
from airflow_provider_influx_rollup.windows.duration import DurationLike

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.windows.interval import Interval

# Airflow itself ends the wait this much later than the trigger does, for when no triggerer runs
TRIGGER_GRACE = timedelta(minutes=5)


class InfluxTaskRunSensor(BaseSensorOperator):
    """Wait until a task of InfluxDB has run with success for each window of the data interval, by its schedule or by hand.

    Permanent errors (no such task, wrong token) fail for good; transient ones are logged and the wait goes on.

    Returns ``{"task", "task_id", "window", "windows", "last_run_id", "status"}``.

    :param name: the task's name
    :param start: start of the interval, aware or ISO 8601 with an offset; default: the run's data interval
    :param stop: its stop, not included
    :param window: length of the interval where the run names one instant only
    :param timezone: IANA zone in which days, weeks, months and years begin
    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :param deferrable: wait in the triggerer; default: ``[influx_rollup] default_deferrable``
    """

    template_fields: Sequence[str] = (
        "name",
        "start",
        "stop",
        "window",
        "timezone",
        "influx_conn_id",
        "org",
    )
    ui_color = "#f8f0e4"

    def __init__(
        self,
        *,
        name: str,
        start: str | date | None = None,
        stop: str | date | None = None,
        window: DurationLike | None = None,
        timezone: str = "UTC",
        influx_conn_id: str = DEFAULT_CONN_ID,
        org: str | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.start, self.stop, self.window = start, stop, declared_duration(window)
        self.timezone = timezone
        self.influx_conn_id, self.org = influx_conn_id, org
        self.deferrable = default_deferrable() if deferrable is None else deferrable

    @cached_property
    def hook(self) -> InfluxRollupHook:
        """The connection; made when first used, after the templates are rendered."""
        return InfluxRollupHook(self.influx_conn_id, org=self.org)

    def execute(self, context: Context) -> Any:
        """Wait; in deferrable mode look once and then hand over to the triggerer.

        :param context: Airflow's context
        """
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if isinstance(found, PokeReturnValue):
            return found.xcom_value
        deadline = airflow_timezone.utcnow() + timedelta(seconds=self.timeout)
        trigger = LifecycleJobTrigger(
            verb="task_wait",
            spec={
                "name": self.name,
                "poke_seconds": float(self.poke_interval),
                "deadline": deadline.isoformat(),
            },
            intervals=[self._interval(context).as_json()],
            run_info={},
            influx_conn_id=self.influx_conn_id,
            org=self.org,
        )
        timeout = timedelta(seconds=self.timeout) + TRIGGER_GRACE
        return self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once.

        :param context: Airflow's context
        :return: False, or the last run
        :raises AirflowFailException: for permanent errors
        """
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.task_wait.task_wait import look_for_runs

        interval = self._interval(context)
        with failing_by_permanence():
            try:
                found = drive(look_for_runs(self.name, interval), self.hook.get_conn(), self._report)
            except InfluxRollupError as error:
                if error.permanent:
                    raise
                self.log.warning("%s: cannot look, will try again: %s", interval, error)
                return False
        return False if found is None else PokeReturnValue(is_done=True, xcom_value=found)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Go on after the triggerer's event.

        :param context: Airflow's context
        :param event: what the trigger fired
        :raises AirflowSensorTimeout: when the task had not run in time
        :raises AirflowFailException: for permanent errors
        """
        found: dict[str, Any] = result_of_event(event)
        if found["status"] == "timeout":
            what = f"task {self.name!r} had no success for {found['window']} at {found['deadline']}"
            raise AirflowSensorTimeout(what)
        return found

    @failing_by_permanence()
    def _interval(self, context: Context) -> Interval:
        return interval_of_run(
            context,
            start=self.start,
            stop=self.stop,
            window=self.window,
            timezone=self.timezone,
            offset="0s",
        )

    def _report(self, report: Report) -> None:
        log = self.log.warning if report.level == "warning" else self.log.info
        log("%s", report.message)
