"""The pool of connections to one server: TLS, proxy and size are as the settings say."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

from urllib3 import PoolManager, ProxyManager

from airflow_provider_influx_rollup.client.proxy import Proxy

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.open_connections import OpenConnections
    from airflow_provider_influx_rollup.client.settings import ClientSettings


def connection_pool(settings: ClientSettings, connections: OpenConnections) -> PoolManager:
    """A pool for all requests of a client.

    :param settings: where the server is and how to talk to it
    :param connections: remembers the pool's sockets
    """
    # its lines at DEBUG have whole URLs, and a delete by InfluxQL has tag values in its URL
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    cert_reqs = ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE
    ca_certs, size = settings.ssl_ca_cert or None, settings.pool_size
    proxy = Proxy.of(settings.proxy)
    manager: PoolManager
    if proxy is None:
        manager = PoolManager(num_pools=1, maxsize=size, cert_reqs=cert_reqs, ca_certs=ca_certs)
    else:
        manager = ProxyManager(
            proxy.url,
            proxy_headers=proxy.headers,
            num_pools=1,
            maxsize=size,
            cert_reqs=cert_reqs,
            ca_certs=ca_certs,
        )
    manager.pool_classes_by_scheme = connections.pool_classes()
    return manager
