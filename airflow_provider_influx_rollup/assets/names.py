"""Names of assets. They are known when a DAG is parsed, so a server is named by its connection, which is not asked."""

from __future__ import annotations

from os import PathLike, fspath
from urllib.parse import quote, urlsplit

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.stores.store_url import shown_url

SCHEME = "influxdb"
#: stands for the organisation of the connection
OF_CONNECTION = "-"
#: what stays as it is in a path; a ? or # would end it
PLAIN_IN_PATHS = "/:@!$&'()*+,;=[]"


def measurement_uri(
    bucket: str, measurement: str | None, *, influx_conn_id: str, org: str | None = None
) -> str:
    """The URI of a measurement, or of a bucket.

    :raises ConfigurationError: when a name is no text, or empty
    """
    names = {"org": org or OF_CONNECTION, "bucket": bucket}
    if measurement is not None:
        names["measurement"] = measurement
    return f"{SCHEME}://{_path({'influx_conn_id': influx_conn_id})}/{_path(names)}"


def archive_uri(path: str, bucket: str, measurement: str, *, org: str | None = None) -> str:
    """The URI of a measurement in an archive.

    :raises ConfigurationError: when the path holds a password, or a name is no text, or empty
    """
    names = {"org": org or OF_CONNECTION, "bucket": bucket, "measurement": measurement}
    return f"{place_uri(path)}/{_path(names)}"


def place_uri(path: str | PathLike[str], name: str = "the path") -> str:
    """The URI of a folder, such as that of a table.

    :param path: a path or URL
    :param name: of the parameter, for the message
    :raises ConfigurationError: when it holds a password, or is no text
    """
    text = fspath(path) if isinstance(path, PathLike) else path
    _require_text(name, text)
    shown = shown_url(text, name).rstrip("/")
    if not (scheme := urlsplit(shown).scheme):
        return f"file://{quote(shown, safe=PLAIN_IN_PATHS)}"
    return f"{scheme}:{quote(shown.partition(':')[2], safe=PLAIN_IN_PATHS)}"


def _path(names: dict[str, str]) -> str:
    for name, text in names.items():
        _require_text(name, text)
    return "/".join(quote(text, safe="") for text in names.values())


def _require_text(name: str, text: object) -> None:
    if not isinstance(text, str) or not text:
        told = "is empty" if text == "" else f"is of the type {type(text).__name__}"
        what = f"{name} of an asset {told}"
        raise ConfigurationError(what, written="nothing", fix="give a text")
