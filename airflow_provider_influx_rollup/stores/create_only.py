"""Create an object only if its name is free, for each kind of object store."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# what `pipe_file` is told, and the library; looked up by what fsspec calls the file system
_S3 = ({"mode": "create"}, "s3fs")
_GCS = ({"mode": "create"}, "gcsfs")
_AZURE = ({"overwrite": False}, "adlfs")
CREATE_ONLY: Mapping[str, tuple[dict[str, Any], str]] = {
    "s3": _S3,
    "s3a": _S3,
    "gs": _GCS,
    "gcs": _GCS,
    "abfs": _AZURE,
    "abfss": _AZURE,
    "az": _AZURE,
}
OLDEST = "2024.12.0"
ZONAL = "ZONAL_HIERARCHICAL"
FIX_OTHER_STORE = "choose a folder that all workers see, or a bucket of S3, Google Cloud Storage or Azure"


def create_options(files: AbstractFileSystem, base: str, shown: str) -> dict[str, Any]:
    """The options of ``pipe_file`` that let the first of several writers win, and tell the others.

    :param base: a path in the bucket
    :param shown: the store's URL for people
    :raises ConfigurationError: when this file system has none, so that the last writer would win unseen
    """
    names = (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
    known = next((CREATE_ONLY[name] for name in names if name in CREATE_ONLY), None)
    if known is None:
        raise _unsafe(shown, f"a file system of the kind {names[0]!r}", FIX_OTHER_STORE)
    options, library = known
    # older versions take the option, and overwrite anyway
    if not set(options) <= set(signature(files.pipe_file).parameters):
        raise _unsafe(shown, f"this version of {library}", f"install {library}>={OLDEST}")
    # gcsfs ignores the option in zonal buckets; it has asked for the kind of the bucket anyway
    kind_of_bucket = getattr(files, "_sync_lookup_bucket_type", None)
    if kind_of_bucket and kind_of_bucket(base.partition("/")[0]).name == ZONAL:
        raise _unsafe(shown, "gcsfs in a zonal bucket (Rapid Storage)", "choose a bucket of a region")
    return dict(options)


def _unsafe(shown: str, who: str, fix: str) -> ConfigurationError:
    what = (
        f"{shown} is no safe place for an archive: {who} cannot make a file only when there is none, "
        "so of two runs at once the later one would replace the manifest of the other unseen"
    )
    return ConfigurationError(what, written="nothing", fix=fix)
