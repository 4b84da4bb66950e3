"""What a stage reads and writes: measurements of InfluxDB, and folders of archives and tables; and what they are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_influx_rollup.archive.paths import measurement_folder
from airflow_provider_influx_rollup.stores.store_url import LOCAL, shown_url

if TYPE_CHECKING:
    from collections.abc import Sequence

PORTS = {"https": 443}
DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement of a bucket.

    :param measurement: None stands for the whole bucket: a script may read and write any of its measurements
    """

    bucket: str
    measurement: str | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of files: a measurement's in an archive, or a table's.

    :param url: a path or URL, without a user in it
    """

    url: str


@dataclass(frozen=True, slots=True)
class Flow:
    """From what a stage makes what."""

    inputs: Sequence[Measurement | Folder] = ()
    outputs: Sequence[Measurement | Folder] = ()


def archive_folder(path: str, org: str, bucket: str, measurement: str) -> Folder:
    """The folder of a measurement in an archive.

    :param path: base folder of the archive, a path or URL
    :param org: of the bucket
    :raises ConfigurationError: when the path holds a password, or is no place for an archive
    """
    return Folder(f"{shown_url(path).rstrip('/')}/{measurement_folder(org, bucket, measurement)}")


def server_namespace(url: str) -> str:
    """``influxdb://host:port`` of a server; the port that the URL leaves out is that of its scheme.

    :param url: of the server, such as ``http://localhost:8086``
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"influxdb://{shown}:{parts.port or PORTS.get(parts.scheme, DEFAULT_PORT)}"


def dataset_name(place: Measurement | Folder, url: str, org: str) -> tuple[str, str]:
    """Namespace and name of a dataset.

    :param url: of the server
    :param org: name of the organisation
    :return: ``influxdb://host:port`` and ``org/bucket/measurement``; ``file`` and a path; or ``s3://bucket`` and a key
    """
    if isinstance(place, Measurement):
        names = (org, place.bucket, place.measurement)
        return server_namespace(url), "/".join(name for name in names if name)
    parts = urlsplit(place.url)
    if parts.scheme in LOCAL:
        return "file", parts.path
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")
