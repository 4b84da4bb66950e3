"""The InfluxDB of a connection, as the page asks it: few seconds, and nothing is written."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.airflow_compat import stored_connection
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.hooks.client_cache import shared_client
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.page.access import CONNECTION_TYPES
from airflow_provider_influx_rollup.settings import read_settings

if TYPE_CHECKING:
    from typing import TypeVar

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.steps.step import Steps

    Result = TypeVar("Result")

log = logging.getLogger(__name__)
# a person waits
DEADLINE_SECONDS = 5.0
READ_SECONDS = 30.0


class PageHook(InfluxRollupHook):
    """The connection as Airflow's web server finds it, where no task supervisor answers."""

    def get_conn(self) -> InfluxClient:
        """The client of this process for the connection.

        :raises ConfigurationError: when token, org or host are missing or a field is wrong
        :raises AirflowNotFoundException: when there is no such connection
        """
        settings, token = self._read(self._stored)
        self._settings = replace(
            settings,
            deadline_seconds=min(settings.deadline_seconds, DEADLINE_SECONDS),
            read_timeout_seconds=min(settings.read_timeout_seconds, READ_SECONDS),
        )
        return shared_client(self.influx_conn_id, self._settings, token)

    def _stored(self) -> Any:
        connection = stored_connection(self.influx_conn_id)
        if connection.conn_type not in CONNECTION_TYPES:
            what = f"connection {self.influx_conn_id!r} is of the type {connection.conn_type!r}"
            raise ConfigurationError(what, fix=f"name one of the types {', '.join(CONNECTION_TYPES)}")
        return connection


@dataclass(frozen=True, slots=True)
class PageServer:
    """A connected server, and where its ledger is."""

    client: InfluxClient
    ledger_bucket: str

    def drive(self, steps: Steps[Result]) -> Result:
        """Run a verb to its end."""
        return drive(steps, self.client, _report)


def _report(report: Report) -> None:
    log.debug("%s", report.message)


def connected(conn_id: str, ledger_bucket: str | None = None) -> PageServer:
    """The server of a connection.

    :param ledger_bucket: default: the one of Airflow's configuration
    :raises ConfigurationError: when a field of the connection is missing or wrong
    :raises AirflowNotFoundException: when there is no such connection
    """
    client = PageHook(conn_id).get_conn()
    return PageServer(client, ledger_bucket or read_settings().ledger_bucket)
