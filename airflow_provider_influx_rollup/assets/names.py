"""Names of assets. They are known when a DAG is parsed, so a server is named by its connection, which is not asked."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow_provider_influx_rollup.stores.store_url import shown_url

SCHEME = "influxdb"
#: stands for the organisation of the connection
OF_CONNECTION = "-"


def measurement_uri(
    bucket: str, measurement: str | None, *, influx_conn_id: str, org: str | None = None
) -> str:
    """The URI of a measurement, or of a bucket."""
    names = [org or OF_CONNECTION, bucket, *([] if measurement is None else [measurement])]
    return f"{SCHEME}://{quote(influx_conn_id, safe='')}/{_path(names)}"


def archive_uri(path: str, bucket: str, measurement: str, *, org: str | None = None) -> str:
    """The URI of a measurement in an archive.

    :raises ConfigurationError: when the path holds a password
    """
    return f"{place_uri(path)}/{_path([org or OF_CONNECTION, bucket, measurement])}"


def place_uri(path: str, name: str = "the path") -> str:
    """The URI of a folder, such as that of a table.

    :param path: a path or URL
    :param name: of the parameter, for the message
    :raises ConfigurationError: when it holds a password
    """
    shown = shown_url(path, name).rstrip("/")
    return shown if urlsplit(shown).scheme else f"file://{shown}"


def _path(names: list[str]) -> str:
    return "/".join(quote(name, safe="") for name in names)
