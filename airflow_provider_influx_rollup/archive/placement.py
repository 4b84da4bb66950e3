"""Whether a manifest is of the folder that it lies in: of what was asked for, and of nothing else."""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.documents import damaged
from airflow_provider_influx_rollup.archive.manifest import Manifest
from airflow_provider_influx_rollup.archive.paths import (
    MANIFEST,
    generation_folder,
    measurement_folder,
    window_folder,
)
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, InfluxRollupError

FIX = (
    "find out who put it there; two measurements whose names differ by upper and lower case need two paths "
    "on a store that does not tell these apart"
)


def decode_in_place(data: bytes, path: str) -> Manifest:
    """The manifest of a path, which must be of the organisation, bucket, measurement, window and generation of its path.

    :param path: relative to the base of the archive
    :raises ArchiveMismatch: when it is damaged, or of another place
    """
    manifest = Manifest.decode(data, path)
    try:
        compacted_of(manifest)
        own_path = _path_of(manifest)
    except (KeyError, TypeError, ValueError, AttributeError, InfluxRollupError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from None
    if path != own_path:
        what = (
            f"{path} is of {manifest.org}/{manifest.bucket}/{manifest.measurement}, window {manifest.window}, "
            f"generation {manifest.generation}, which is not what was asked for"
        )
        raise ArchiveMismatch(what, window=manifest.window, written="nothing", fix=FIX)
    return manifest


def _path_of(manifest: Manifest) -> str:
    folder = measurement_folder(manifest.org, manifest.bucket, manifest.measurement)
    return f"{generation_folder(window_folder(folder, manifest.window), manifest.generation)}/{MANIFEST}"
