"""Write what becomes of a task as a status in InfluxDB, where its notification rules find it."""

from __future__ import annotations

from typing import Any

# not from airflow_compat: only callbacks need it
from airflow.providers.common.compat.sdk import BaseNotifier, redact

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.hooks.influx import DEFAULT_CONN_ID, InfluxRollupHook
from airflow_provider_influx_rollup.notifications.window_failure import format_window_failure, window_text
from airflow_provider_influx_rollup.steps.influx import Report

LEVELS = ("ok", "info", "warn", "crit")


class InfluxStatusNotifier(BaseNotifier):
    """A status of the task's window in the schema of InfluxDB's checks.

    Give one as ``on_failure_callback`` and one with ``level="ok"`` as ``on_success_callback``. The second writes only when
    the same window had an alarm before: one recovery message for one alarm, and no status for windows that never failed.
    Another window's success clears nothing.

    :param level: ``crit``, ``warn``, ``info`` or ``ok``
    :param status_bucket: bucket of the statuses
    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :raises ConfigurationError: when the level is unknown
    """

    template_fields = ("status_bucket", "influx_conn_id")

    def __init__(
        self,
        *,
        level: str = "crit",
        status_bucket: str = "_monitoring",
        influx_conn_id: str = DEFAULT_CONN_ID,
        org: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if level not in LEVELS:
            what = f"level={level!r} is not possible"
            raise ConfigurationError(what, fix=f"use one of {', '.join(LEVELS)}")
        self.level = level
        self.status_bucket = status_bucket
        self.influx_conn_id = influx_conn_id
        self.org = org

    def notify(self, context: Any) -> None:
        """Write the status.

        :param context: what Airflow calls back with
        :raises InfluxError: when the server refuses or cannot be reached
        """
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.statuses.task_alarm import TaskOfWindow, tell_status

        ti = context["ti"]
        task = TaskOfWindow(ti.dag_id, ti.task_id, window_text(context), getattr(ti, "map_index", -1))
        if self.level == "ok":
            message = str(redact(f"{ti.dag_id}.{ti.task_id} is right for {task.window or 'its run'} now"))
        else:
            message = format_window_failure(context)
        client = InfluxRollupHook(self.influx_conn_id, org=self.org).get_conn()
        drive(tell_status(self.status_bucket, task, self.level, message, client.now()), client, self._report)

    def _report(self, report: Report) -> None:
        self.log.info("%s", report.message)
