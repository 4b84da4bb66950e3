"""Options to open a lakehouse table: the credentials of the archive where both are in one kind of store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

S3 = ("s3", "s3a")
#: of two commits at once one must fail, whatever the worker's environment says
S3_COMMITS = {"aws_conditional_put": "etag"}


def table_options(store: ArchiveStore, uri: str) -> dict[str, str]:
    """Options of the table's library; what they do not say the worker's environment does.

    :param store: of the archive
    :param uri: of the table
    """
    if urlsplit(uri).scheme not in S3:
        return {}
    if urlsplit(store.shown).scheme not in S3:
        return dict(S3_COMMITS)
    return {**S3_COMMITS, **_options_of_s3(store.file_system)}


def _options_of_s3(files: Any) -> dict[str, str]:
    """The credentials that s3fs uses, whether from a connection, a profile or a role."""
    from fsspec.asyn import sync

    client = files.s3
    endpoint = str(client.meta.endpoint_url)
    key, secret, token = sync(files.loop, _credentials, files)
    found = {
        "aws_region": client.meta.region_name,
        # the library finds Amazon's own by the region
        "aws_endpoint_url": None if _is_amazons(endpoint) else endpoint,
        "aws_allow_http": "true" if endpoint.startswith("http://") else None,
        "aws_access_key_id": key,
        "aws_secret_access_key": secret,
        "aws_session_token": token,
    }
    return {name: str(value) for name, value in found.items() if value}


def _is_amazons(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))


async def _credentials(files: Any) -> tuple[str | None, str | None, str | None]:
    """Key, secret and token, as they are now: those of a role change."""
    if files.key and files.secret:
        return files.key, files.secret, files.token
    found = await files.session.get_credentials()
    if found is None:
        return None, None, None
    frozen = await found.get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token
