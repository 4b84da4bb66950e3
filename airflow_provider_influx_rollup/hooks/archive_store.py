"""The file system of an archive: a folder, or an object store through an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_influx_rollup.airflow_compat import object_storage_path
from airflow_provider_influx_rollup.stores.store_url import shown_url

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore


def open_store(path: str, conn_id: str | None = None) -> ArchiveStore:
    """Open the base folder of an archive.

    :param path: ``/data/archive``, or a URL that Airflow's ``ObjectStoragePath`` takes, such as ``s3://lake/telemetry``
        or ``s3://aws_default@lake/telemetry``
    :param conn_id: Airflow connection of the object store; default: the one in the URL, else what the worker's
        environment gives
    :raises ConfigurationError: when the path holds a password, is not absolute, nothing installed can open it, or its
        library cannot use the credentials
    :raises StoreForbidden: when there are no credentials
    :raises AirflowNotFoundException: when there is no such connection
    """
    from fsspec.core import strip_protocol

    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.stores.store_errors import (
        is_of_no_provider,
        not_installed,
        opening_errors,
    )

    shown = shown_url(path)
    try:
        with opening_errors(shown):
            files = object_storage_path(path.strip(), conn_id).fs
        return ArchiveStore(files, strip_protocol(shown), shown)
    except ImportError as error:
        raise not_installed(shown, str(error)) from error
    except ValueError as error:
        if not is_of_no_provider(error):
            raise not_installed(shown, str(error)) from error
    if conn_id or "@" in urlsplit(path).netloc:
        raise not_installed(shown, "no Airflow provider that is installed knows it")
    # without a connection no provider is needed: the environment's credentials
    return ArchiveStore.of_url(shown)
