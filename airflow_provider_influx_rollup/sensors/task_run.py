"""Wait until a task of InfluxDB has run for the data interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.airflow_compat import PokeReturnValue
from airflow_provider_influx_rollup.metrics import tell_result
from airflow_provider_influx_rollup.sensors._base import InfluxSensor
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.windows.interval import Interval

VERB = "task_wait"


class InfluxTaskRunSensor(InfluxSensor):
    """Wait until a task of InfluxDB has run with success for each window of the data interval, by its schedule or by hand.

    Permanent errors (no such task, wrong token) fail for good; transient ones are logged and the wait continues.

    Returns ``{"task", "task_id", "window", "windows", "last_run_id", "status", "runs", "errors", "run_seconds"}``.

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

    def __init__(self, *, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Poll once, and count the runs in Airflow's metrics when all are there.

        :param context: Airflow's context
        """
        found = super().poke(context)
        if isinstance(found, PokeReturnValue) and found.xcom_value:
            tell_result(VERB, found.xcom_value, is_dry_run=False, lateness=timedelta())
        return found

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Resume after the triggerer's event, and count the runs.

        :param context: Airflow's context
        :param event: what the trigger fired
        """
        found = super().execute_complete(context, event)
        tell_result(VERB, found, is_dry_run=False, lateness=timedelta())
        return found

    def _look(self, interval: Interval) -> dict[str, Any] | None:
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.task_wait.task_wait import look_for_runs

        found: dict[str, Any] | None = drive(
            look_for_runs(self.name, interval), self.hook.get_conn(), self._report
        )
        return found

    def _trigger(self, interval: Interval, deadline: datetime) -> LifecycleJobTrigger:
        return LifecycleJobTrigger(
            verb=VERB,
            spec={
                "name": self.name,
                "poke_seconds": float(self.poke_interval),
                "deadline": deadline.isoformat(),
            },
            intervals=[interval.as_json()],
            run_info={},
            influx_conn_id=self.influx_conn_id,
            org=self.org,
        )

    def _why_late(self, event: Mapping[str, Any]) -> str | None:
        found = event.get("result") or {}
        if found.get("status") != "timeout":
            return None
        return f"task {self.name!r} had no success for {found['window']} at {found['deadline']}"
