"""Write what becomes of a task as a status in InfluxDB, where its notification rules find it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

# not from airflow_compat: only callbacks need it
from airflow.providers.common.compat.sdk import redact

from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.notifications._status import StatusNotifier
from airflow_provider_influx_rollup.notifications.window_failure import format_window_failure, window_text


class InfluxStatusNotifier(StatusNotifier):
    """A status of the task's window in the schema of InfluxDB's checks.

    Give one as ``on_failure_callback`` and one with ``level="ok"`` as ``on_success_callback``. The second writes only when
    the same window had an alarm before: one recovery message for one alarm, and no status for windows that never failed.
    Another window's success clears nothing. As a callback of a DAG it is about the task that Airflow names, or the DAG when
    it names none.

    :param level: ``crit``, ``warn``, ``info`` or ``ok``
    :param status_bucket: bucket of the statuses
    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :raises ConfigurationError: when the level is unknown
    """

    levels: ClassVar[Sequence[str]] = ("ok", "info", "warn", "crit")

    def notify(self, context: Any) -> None:
        """Write the status.

        :param context: what Airflow calls back with
        :raises InfluxError: when the server refuses or cannot be reached
        """
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.statuses.task_alarm import TaskOfWindow, tell_status

        # without a task of its run, as 3.x may call back a DAG
        ti = context.get("ti")
        dag_id = str(getattr(ti or context.get("dag"), "dag_id", "unknown"))
        task_id = str(getattr(ti, "task_id", ""))
        task = TaskOfWindow(dag_id, task_id, window_text(context), getattr(ti, "map_index", -1))
        if self.level == "ok":
            name = f"{dag_id}.{task_id}" if task_id else dag_id
            message = str(redact(f"{name} is right for {task.window or 'its run'} now"))
        else:
            message = format_window_failure(context)
        client = InfluxRollupHook(self.influx_conn_id, org=self.org).get_conn()
        drive(tell_status(self.status_bucket, task, self.level, message, client.now()), client, self._report)
