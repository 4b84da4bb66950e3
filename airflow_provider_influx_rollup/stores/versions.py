"""The versions that a manifest names."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup import __version__

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient


def software_versions(client: InfluxClient) -> dict[str, str]:
    """Of this package, of the library that writes Parquet, and of the server.

    :raises InfluxUnavailable: when the server does not answer
    """
    return {**file_versions(), "influxdb": client.health().version}


def file_versions() -> dict[str, str]:
    """Of this package and of the library that writes Parquet: where no server has a part."""
    return {"airflow-provider-influx-rollup": __version__, "pyarrow": version("pyarrow")}
