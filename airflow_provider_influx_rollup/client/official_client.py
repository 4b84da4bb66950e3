"""influxdb-client's own client for people's code; nothing here needs it otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.client.proxy import Proxy
from airflow_provider_influx_rollup.client.tls import require_readable_authorities

if TYPE_CHECKING:
    from influxdb_client.client.influxdb_client import InfluxDBClient

    from airflow_provider_influx_rollup.client.settings import ClientSettings

MILLISECONDS = 1_000


def official_client(settings: ClientSettings) -> InfluxDBClient:
    """Make a client of influxdb-client with the settings' URL, organisation, token, pool, TLS, proxy, timeouts and gzip.

    Its token is the one of now, and it tries nothing again by itself.

    :param settings: where the server is and how to talk to it
    :raises ConfigurationError: when ``ssl_ca_cert`` names no file of certificates
    """
    # 0.1 s and more than 400 modules, which only who asks for it pays
    from influxdb_client.client.influxdb_client import InfluxDBClient

    require_readable_authorities(settings)
    proxy = Proxy.of(settings.proxy)
    timeouts = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
    return InfluxDBClient(
        url=settings.url,
        token=settings.token(False),
        org=settings.org,
        timeout=tuple(seconds * MILLISECONDS for seconds in timeouts),
        enable_gzip=settings.compresses,
        verify_ssl=settings.verify_ssl,
        ssl_ca_cert=settings.ssl_ca_cert,
        proxy=proxy.url if proxy else None,
        proxy_headers=proxy.headers if proxy else None,
        connection_pool_maxsize=settings.pool_size,
    )
