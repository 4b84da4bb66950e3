"""The connection to InfluxDB 2: client, Test button, form fields."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_influx_rollup.airflow_compat import BaseHook, get_async_connection, mask_secret
from airflow_provider_influx_rollup.client.proxy import password_of
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, QueryFailed
from airflow_provider_influx_rollup.hooks.client_cache import ConnectionToken, close_client, shared_client
from airflow_provider_influx_rollup.hooks.connection_settings import ConnectionReading, client_settings
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.rejections import organization_without_list
from airflow_provider_influx_rollup.settings import read_settings

if TYPE_CHECKING:
    from influxdb_client.client.influxdb_client import InfluxDBClient

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.client.settings import ClientSettings

_ASYNC_READ_SECONDS = 30.0


class InfluxRollupHook(BaseHook):
    """Talk to InfluxDB 2 through an Airflow connection.

    The connection holds host (or a full URL), port, schema (http or https), the token as password, and
    extras: org, verify_ssl, ssl_ca_cert, proxy, connect_timeout_seconds, read_timeout_seconds, gzip,
    pool_size, deadline_seconds, max_query_seconds, max_query_rows, dashboard. A connection of the official type ``influxdb`` works too.

    :param influx_conn_id: the connection
    :param org: organisation's name; default: the connection's
    """

    conn_name_attr = "influx_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "influx_rollup"
    hook_name = "InfluxDB 2 (rollup)"

    def __init__(self, influx_conn_id: str = DEFAULT_CONN_ID, org: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.influx_conn_id = influx_conn_id
        self.org = org
        self._settings: ClientSettings | None = None
        self._dashboard: str | None = None
        self._unknown_extras: list[str] = []

    @property
    def client(self) -> InfluxClient:
        """The client of this process for the connection."""
        return self.get_conn()

    def get_conn(self) -> InfluxClient:
        """The client of this process for the connection, with a pool that its tasks share.

        :raises ConfigurationError: when token, org or host are missing or a field is wrong
        :raises AirflowNotFoundException: when there is no such connection
        """
        return self._client(lambda: self.get_connection(self.influx_conn_id))

    async def aget_conn(self) -> InfluxClient:
        """The same on an event loop, such as the triggerer's; nothing blocks the loop.

        :raises ConfigurationError: as ``get_conn``
        :raises AirflowNotFoundException: as ``get_conn``
        """
        loop = asyncio.get_running_loop()

        def read_on_loop() -> Any:
            # the client asks from its own thread; Airflow answers on the triggerer's loop only
            reading = get_async_connection(self.influx_conn_id, hook=type(self))
            return asyncio.run_coroutine_threadsafe(reading, loop).result(_ASYNC_READ_SECONDS)

        return await asyncio.to_thread(self._client, read_on_loop)

    def influxdb_client(self) -> InfluxDBClient:
        """A client of influxdb-client, InfluxData's own library, for what this provider has no words for.

        It has the connection's URL, organisation, pool, TLS, proxy, timeouts and gzip, and the token as it is now: after a
        rotation ask for another one. Each call makes a client, which the caller closes: ``with hook.influxdb_client() as client``.

        :raises ConfigurationError: as ``get_conn``
        :raises AirflowNotFoundException: as ``get_conn``
        """
        from airflow_provider_influx_rollup.client.official_client import official_client

        settings, _ = self._read(lambda: self.get_connection(self.influx_conn_id))
        return official_client(settings)

    def close(self) -> None:
        """Close the client that this hook gave out; a request that is running ends with an error."""
        if self._settings is not None:
            close_client(self.influx_conn_id, self._settings)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the server answers, knows the organisation and accepts the token, in words."""
        try:
            client = self.get_conn()
            health = client.health()
            self._organization_id(client)
        except InfluxRollupError as error:
            return False, str(error)
        where = f"{self.settings.url}, organisation {self.settings.org}"
        unknown = "".join(f'; the extra "{name}" is unknown and not used' for name in self._unknown_extras)
        return True, f"InfluxDB {health.version} answers at {where}; the token works{unknown}"

    def organization_id(self) -> str | None:
        """The organisation's id, as the InfluxDB UI has it in its URLs; None when no bucket can be read.

        :raises InfluxError: when the server refuses or cannot be reached
        """
        return self._organization_id(self.client)

    @staticmethod
    def _organization_id(client: InfluxClient) -> str | None:
        try:
            rows = client.query("buckets() |> limit(n: 1)")
        except QueryFailed as error:
            # the list may lack all buckets that the token may read
            found = organization_without_list(error)
            if found is None:
                raise
            return found
        return next((str(row["organizationID"]) for row in rows if row.get("organizationID")), None)

    @property
    def settings(self) -> ClientSettings:
        """The settings of the client.

        :raises ConfigurationError: as ``get_conn``
        """
        if self._settings is None:
            self.get_conn()
        return cast("ClientSettings", self._settings)

    @property
    def dashboard(self) -> str | None:
        """The id of the dashboard in InfluxDB that links of tasks open; None when the connection names none.

        :raises ConfigurationError: as ``get_conn``
        """
        if self._settings is None:
            self.get_conn()
        return self._dashboard

    def _client(self, read_connection: Callable[[], Any]) -> InfluxClient:
        self._settings, token = self._read(read_connection)
        return shared_client(self.influx_conn_id, self._settings, token)

    def _read(self, read_connection: Callable[[], Any]) -> tuple[ClientSettings, ConnectionToken]:
        reading = ConnectionReading.of(self.influx_conn_id, read_connection())
        self._unknown_extras = reading.unknown_extras()
        for name in self._unknown_extras:
            self.log.warning('Connection "%s": extra "%s" is unknown and not used', self.influx_conn_id, name)

        def read_token() -> str:
            return _masked_token(ConnectionReading.of(self.influx_conn_id, read_connection()))

        token = ConnectionToken(self.influx_conn_id, _masked_token(reading), read_token)
        _mask_proxy_password(reading.text("proxy"))
        self._dashboard = reading.dashboard()
        return client_settings(reading, org=self.org, token=token, defaults=read_settings()), token

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels of the form's standard fields on Airflow 2.11."""
        from airflow_provider_influx_rollup.get_provider_info import UI_FIELD_BEHAVIOUR

        return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's own fields on Airflow 2.11; 3.x reads them from the provider's metadata."""
        # Airflow 3 has none of what this imports
        from airflow_provider_influx_rollup.hooks.connection_form import form_fields

        return form_fields()


def _masked_token(reading: ConnectionReading) -> str:
    token = reading.token()
    mask_secret(token)
    return token


def _mask_proxy_password(proxy: str | None) -> None:
    password = password_of(proxy)
    if password:
        mask_secret(password)
