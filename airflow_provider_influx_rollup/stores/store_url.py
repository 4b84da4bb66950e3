"""The address of an archive without its secrets."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from airflow_provider_influx_rollup.exceptions import ConfigurationError

LOCAL = ("", "file", "local")
GIVE_PLACE = "give a path such as /data/archive, or a URL such as s3://bucket/folder"
RELATIVE = re.compile(r"[\w. -]+(?:/[\w. -]+)*/?")


def shown_url(url: str, name: str = "the path of the archive") -> str:
    """A path or URL without the user in it, which may name a connection.

    :param name: what messages call it
    :param url: such as ``/data/archive``, ``s3://lake/telemetry`` or ``s3://aws_default@lake/telemetry``
    :raises ConfigurationError: when it holds a key or password, or is no place for an archive; never showing it
    """
    parts = _split(url, name)
    if ":" in parts.netloc.rpartition("@")[0]:
        what = f"{name} holds a key or password"
        raise ConfigurationError(
            what, written="nothing", fix="put it into an Airflow connection: path_conn_id"
        )
    if parts.scheme not in LOCAL and (parts.query or parts.fragment):
        what = f"{name} goes on with ? or #, which may be a key or password"
        fix = "leave that out; keys belong into an Airflow connection or the environment"
        raise ConfigurationError(what, written="nothing", fix=fix)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    shown = urlunsplit(bare) if parts.scheme and parts.netloc else url.strip()
    if not bare.path.startswith("/") if parts.scheme in LOCAL else not bare.netloc:
        # what is neither may be a URL with a slip in it, and a password
        told = f" {shown!r}" if RELATIVE.fullmatch(shown) else ""
        what = f"{name}{told} is neither absolute nor the URL of a bucket"
        raise ConfigurationError(what, written="nothing", fix=GIVE_PLACE)
    return shown.rstrip("/") or "/"


def connection_in(url: str) -> str:
    """The Airflow connection that a URL names as its user; empty when it names none.

    :param url: such as ``s3://aws_default@lake/telemetry``, or a path
    """
    return urlsplit(url.strip()).netloc.rpartition("@")[0]


def _split(url: str, name: str) -> SplitResult:
    try:
        return urlsplit(url.strip())
    except ValueError:
        what = f"{name} is no URL: its host is not one"
        # the error shows a part of it
        raise ConfigurationError(what, written="nothing", fix=GIVE_PLACE) from None
