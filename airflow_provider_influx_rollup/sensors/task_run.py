"""Wait until a task of InfluxDB has run for the data interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_influx_rollup.airflow_compat import AirflowSkipException, PokeReturnValue
from airflow_provider_influx_rollup.metrics import tell_result
from airflow_provider_influx_rollup.sensors._base import InfluxSensor
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger
from airflow_provider_influx_rollup.typed_arguments import TEXT, Kind
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context

VERB = "task_wait"
MAX_SHOWN = 10


class InfluxTaskRunSensor(InfluxSensor):
    """Wait until a task of InfluxDB has run with success for each window of the data interval, by its schedule or by hand.

    Permanent errors (no such task, wrong token) fail for good; transient ones are logged and the wait continues.

    Returns ``{"task", "task_id", "window", "windows", "last_run_id", "status", "runs", "errors", "missed",
    "missed_windows", "run_seconds"}``. A wait that ends without them names the windows that have no success, and counts them in the metrics.

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
    own_kinds: ClassVar[Mapping[str, Kind]] = {"name": TEXT}
    ui_color = "#f8f0e4"

    def __init__(self, *, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        # of the last look
        self._seen: dict[str, Any] = {}

    def execute(self, context: Context) -> Any:
        """Wait; when the time is over, count the windows that were missed and name them.

        :param context: Airflow's context
        :raises AirflowSensorTimeout: when windows have no success in time
        """
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException) as error:
            # an error that was softened has a cause, the end of the wait has none
            if not self._seen or error.__cause__ is not None:
                raise
            self._tell(self._seen)
            message = f"{error} {_shown(self._seen)}"
            raise type(error)(message) from error

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Poll once, and count the runs in Airflow's metrics when all are there.

        :param context: Airflow's context
        """
        found = super().poke(context)
        if isinstance(found, PokeReturnValue) and found.xcom_value:
            self._tell(found.xcom_value)
        return found

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Resume after the triggerer's event, and count the runs.

        :param context: Airflow's context
        :param event: what the trigger fired
        """
        self._tell((event or {}).get("result") or {})
        return super().execute_complete(context, event)

    def _tell(self, found: Mapping[str, Any]) -> None:
        tell_result(VERB, found, is_dry_run=False, lateness=timedelta())

    def _look(self, interval: Interval) -> dict[str, Any] | None:
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.task_wait.task_wait import look_for_runs

        found = drive(look_for_runs(self.name, interval), self.hook.get_conn(), self._report)
        self._seen = found.as_json()
        return None if found.missed else self._seen

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
        return (
            f"task {self.name!r} had no success for {found['window']} at {found['deadline']}. {_shown(found)}"
        )


def _shown(found: Mapping[str, Any]) -> str:
    """The windows that were missed, as far as somebody has looked."""
    listed = [str(Interval.from_json(bounds)) for bounds in found.get("missed_windows", ())]
    if not listed:
        return ""
    more = found["missed"] - len(listed[:MAX_SHOWN])
    named = ", ".join(listed[:MAX_SHOWN]) + (f" and {more} more" if more else "")
    return f"Without a success: {found['missed']} of {found['windows']} windows: {named}"
