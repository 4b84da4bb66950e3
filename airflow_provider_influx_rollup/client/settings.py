"""Settings of a connection to an InfluxDB server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_provider_influx_rollup.client.proxy import Proxy
from airflow_provider_influx_rollup.exceptions import ConfigurationError

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# far more than one process ever sends at once; a pool is filled with as many places when it is made
MAX_POOL_SIZE = 1_000
#: what no address of a server has, but one that goes on with a token may
GOES_ON = ("?", "#", ";")
USE_URL = "use http://host:8086 or https://host"


def require_server_url(url: str) -> None:
    """Refuse what is not the URL of a server. No message shows any part of it: some put the token there.

    :raises ConfigurationError: saying what is wrong with it
    """
    if any(mark in url for mark in GOES_ON):
        what = f"the InfluxDB URL goes on with {' or '.join(GOES_ON)} after the server's address"
        raise ConfigurationError(what, fix=f"{USE_URL}, and give the token apart")
    place = url.partition("://")[2].partition("/")[0] or url
    if "@" in place:
        what = "the InfluxDB URL holds a user or password"
        raise ConfigurationError(what, fix="give the API token as the connection's password instead")
    if not _is_of_server(url):
        what = "the InfluxDB URL is not that of a server: it begins with neither http:// nor https://, or its host or port is not one"
        raise ConfigurationError(what, fix=USE_URL)


def _is_of_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Address and options of a server. Its repr shows neither the token nor the proxy.

    :param url: ``http://host:8086`` or ``https://...``; a path in it is kept
    :param org: name of the organisation
    :param token: gives the API token; called with True after a 401, to read it again from where it is kept
    :param verify_ssl: check the server's certificate
    :param ssl_ca_cert: file of certificates to trust instead of the system's
    :param proxy: URL of an HTTP proxy; a user and password in it are sent to the proxy, and percent-encoded there
    :param connect_timeout_seconds: longest wait for a connection
    :param read_timeout_seconds: longest wait for the next bytes of an answer
    :param gzip: compress write bodies and ask for compressed answers; None does unless the server is on this machine.
        The server needs 22 ns for each byte, so that a network of more than 45 MB/s is faster without
    :param pool_size: connections that are kept open, at most 1,000
    :param deadline_seconds: no try of a request starts later than this after its first try
    :param max_query_seconds: longest time that one query may run before it is cancelled; None: any
    :param max_query_rows: most rows that a query of a user may return as rows; None: any
    :param profiles_queries: whether Flux's profiler tells how much memory each query took
    :raises ConfigurationError: when the URL or the proxy's is not http(s)://host, the URL holds a user or password, or the
        pool is too large
    """

    url: str
    org: str
    token: Callable[[bool], str] = field(repr=False)
    verify_ssl: bool = True
    ssl_ca_cert: str | None = None
    proxy: str | None = field(default=None, repr=False)
    connect_timeout_seconds: float = 5
    read_timeout_seconds: float = 300
    gzip: bool | None = None
    pool_size: int = 8
    deadline_seconds: float = 60.0
    max_query_seconds: float | None = None
    max_query_rows: int | None = None
    profiles_queries: bool = False

    def __post_init__(self) -> None:
        require_server_url(self.url)
        if not self.org:
            what = "the name of the InfluxDB organisation is missing"
            raise ConfigurationError(what, fix="set org in the connection")
        if not 0 < self.pool_size <= MAX_POOL_SIZE:
            what = f"pool_size is {self.pool_size}"
            raise ConfigurationError(what, fix=f"set pool_size to a number from 1 to {MAX_POOL_SIZE}")
        Proxy.of(self.proxy)
        object.__setattr__(self, "url", self.url.rstrip("/"))

    @property
    def compresses(self) -> bool:
        """Whether bodies and answers are compressed."""
        if self.gzip is not None:
            return self.gzip
        return urlsplit(self.url).hostname not in LOCAL_HOSTS
