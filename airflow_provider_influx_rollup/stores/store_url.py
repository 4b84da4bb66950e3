"""The address of an archive without its secrets."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from airflow_provider_influx_rollup.exceptions import ConfigurationError

LOCAL = ("", "file", "local")


def shown_url(url: str, name: str = "the path of the archive") -> str:
    """A path or URL without the user in it, which may name a connection.

    :param name: what messages call it
    :param url: such as ``/data/archive``, ``s3://lake/telemetry`` or ``s3://aws_default@lake/telemetry``
    :raises ConfigurationError: when it holds a key or password, or is no place for an archive; never showing it
    """
    parts = urlsplit(url.strip())
    if ":" in parts.netloc.rpartition("@")[0]:
        what = f"{name} holds a key or password"
        raise ConfigurationError(
            what, written="nothing", fix="put it into an Airflow connection: path_conn_id"
        )
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    shown = urlunsplit(bare) if parts.scheme and parts.netloc else url.strip()
    if not bare.path.startswith("/") if parts.scheme in LOCAL else not bare.netloc:
        what = f"{name} {shown!r} is neither absolute nor the URL of a bucket"
        fix = "give a path such as /data/archive, or a URL such as s3://bucket/folder"
        raise ConfigurationError(what, written="nothing", fix=fix)
    return shown.rstrip("/") or "/"


def connection_in(url: str) -> str:
    """The Airflow connection that a URL names as its user; empty when it names none.

    :param url: such as ``s3://aws_default@lake/telemetry``, or a path
    """
    return urlsplit(url.strip()).netloc.rpartition("@")[0]
