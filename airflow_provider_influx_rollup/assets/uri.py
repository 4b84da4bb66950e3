"""Assets of measurements and archives, and what Airflow and OpenLineage make of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_provider_influx_rollup.airflow_compat import Asset
from airflow_provider_influx_rollup.assets.names import OF_CONNECTION, SCHEME, archive_uri, measurement_uri
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.lineage.datasets import Measurement, dataset_name
from airflow_provider_influx_rollup.shown import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

MIN_PARTS, MAX_PARTS = 2, 3


def measurement_asset(
    bucket: str,
    measurement: str | None = None,
    *,
    influx_conn_id: str = DEFAULT_CONN_ID,
    org: str | None = None,
) -> Asset:
    """The asset of a measurement, as ``outlets="auto"`` names it: ``influxdb://<connection>/<org>/<bucket>/<measurement>``.

    :param measurement: None: the whole bucket, which is what a script's asset stands for
    :param influx_conn_id: the connection of the stage that writes it
    :param org: as the stage has it; None is the connection's, and a ``-`` in the name
    :raises ConfigurationError: when a name is no text, empty, or too long for Airflow
    """
    return asset_of(measurement_uri(bucket, measurement, influx_conn_id=influx_conn_id, org=org))


def archive_asset(path: str, bucket: str, measurement: str, *, org: str | None = None) -> Asset:
    """The asset of a measurement in an archive, as ``outlets="auto"`` names it: ``<path>/<org>/<bucket>/<measurement>``.

    :param path: base folder of the archive, a path or URL
    :param org: as the stage has it; None is the connection's, and a ``-`` in the name
    :raises ConfigurationError: when the path holds a password, or a name is no text, empty, or too long for Airflow
    """
    return asset_of(archive_uri(path, bucket, measurement, org=org))


def asset_of(uri: str, written: str = "nothing") -> Asset:
    """The asset of a name.

    :param uri: of what it stands for
    :param written: what a run has written already, for the message
    :raises ConfigurationError: when Airflow does not take it: 3.x keeps 1,500 characters of a name, and 2.11 has 3,000
    """
    try:
        return Asset(uri)
    except ValueError as error:
        what = f"Airflow takes no asset of the name {shown(uri)}, which has {len(uri)} characters: {error}"
        fix = "leave outlets out, or give shorter names"
        raise ConfigurationError(what, written=written, fix=fix) from error


def is_own(outlet: object) -> bool:
    """Whether an outlet is an asset of InfluxDB.

    :param outlet: anything that Airflow takes as one
    """
    return isinstance(outlet, Asset) and outlet.uri.startswith(f"{SCHEME}://")


def create_asset(
    *,
    bucket: str,
    measurement: str | None = None,
    influx_conn_id: str = DEFAULT_CONN_ID,
    org: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Asset:
    """The asset of a measurement, for hooks and Airflow's own collector of lineage.

    :param extra: of the asset
    """
    uri = measurement_uri(bucket, measurement, influx_conn_id=influx_conn_id, org=org)
    return Asset(uri, extra=dict(extra or {}))


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """The URI of an asset as Airflow keeps it: without a user and a password.

    :param uri: ``influxdb://<connection>/<org>/<bucket>/<measurement>``, the measurement may be absent
    :raises ValueError: when it is another one
    """
    names = uri.path.strip("/").split("/")
    server = uri.netloc.rpartition("@")[2]
    if not server or not MIN_PARTS <= len(names) <= MAX_PARTS or not all(names):
        what = f"{SCHEME}://<connection>/<org>/<bucket>/<measurement> is expected, with names that are percent-encoded"
        raise ValueError(what)
    return uri._replace(netloc=server, query="", fragment="")


def convert_asset_to_openlineage(asset: Asset, lineage_context: object) -> Any:  # noqa: ARG001 - Airflow's signature
    """The dataset of OpenLineage that an asset stands for: by the server's address, where the connection is known.

    :param asset: of a measurement
    :param lineage_context: of the hook or operator that uses it
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    conn_id = unquote(parts.netloc)
    org, *names = (unquote(name) for name in parts.path.strip("/").split("/"))
    settings = InfluxRollupHook(conn_id, org=None if org == OF_CONNECTION else org).settings
    namespace, name = dataset_name(Measurement(*names), settings.url, settings.org)
    return Dataset(namespace=namespace, name=name)
