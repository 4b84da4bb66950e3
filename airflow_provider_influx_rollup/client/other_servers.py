"""Servers that answer but are no InfluxDB 2: other versions of InfluxDB, which take no Flux, and what is no InfluxDB."""

from __future__ import annotations

from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.transport import Transport
from airflow_provider_influx_rollup.exceptions import InfluxError, InfluxRejected

FIX = (
    "use the URL of an InfluxDB 2 (OSS 2.x, or Cloud with the TSM engine): stages are Flux, which InfluxDB 3 does not have "
    "and InfluxDB 1 runs only in part"
)


def error_of_version(version: str, build: str = "") -> InfluxRejected | None:
    """The error of a server that says it is another InfluxDB; None for InfluxDB 2, and when it says nothing.

    :param version: such as ``v2.9.1``, ``2.9.1`` or ``3.11.2``
    :param build: such as ``OSS`` or ``Core``
    """
    major = version.removeprefix("v").partition(".")[0]
    if major not in ("1", "3"):
        return None
    return InfluxRejected(f"this is InfluxDB {f'{version} {build}'.strip()}, not InfluxDB 2", fix=FIX)


def error_of_health(error: InfluxError, transport: Transport) -> InfluxError:
    """The error of a health check that failed, or one that says which other server this is.

    :param transport: asks it
    """
    if not error.permanent:
        return error
    error.fix = error.fix or FIX
    return error_of_ping(transport) or error


def error_of_ping(transport: Transport) -> InfluxRejected | None:
    """The error of a server whose health check is not InfluxDB 2's; None when its ping names no other version.

    :param transport: asks it
    """
    try:
        headers = transport.headers_of(requests.ping_request())
    except InfluxError:
        # the error of the health check says more
        return None
    named = {name.lower(): value for name, value in headers.items()}
    return error_of_version(named.get("x-influxdb-version", ""), named.get("x-influxdb-build", ""))
