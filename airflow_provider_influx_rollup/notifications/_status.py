"""Notifiers that write statuses in the schema of InfluxDB's checks: their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

# not from airflow_compat: only callbacks need it
from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.steps.influx import Report


class StatusNotifier(BaseNotifier):
    """Base of the notifiers that write statuses.

    :param level: of the status
    :param status_bucket: bucket of the statuses
    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :raises ConfigurationError: when the level is unknown
    """

    #: those that a notifier can have
    levels: ClassVar[Sequence[str]] = ("info", "warn", "crit")
    template_fields: Sequence[str] = ("status_bucket", "influx_conn_id")

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
        if level not in self.levels:
            what = f"level={level!r} is not possible"
            raise ConfigurationError(what, fix=f"use one of {', '.join(self.levels)}")
        self.level = level
        self.status_bucket = status_bucket
        self.influx_conn_id = influx_conn_id
        self.org = org

    def _report(self, report: Report) -> None:
        self.log.info("%s", report.message)
