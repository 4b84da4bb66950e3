"""Check certificates years later, with nothing but the files."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING, cast

from airflow_provider_influx_rollup.archive.certificate import (
    Certificate,
    certificate_name,
    certificate_number,
    read_certificate,
)
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.archive.manifest import Manifest
from airflow_provider_influx_rollup.archive.paths import MANIFEST
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.lifecycle.archive_newest import Published
from airflow_provider_influx_rollup.lifecycle.compact_held import read_moved, verify_held
from airflow_provider_influx_rollup.stores.actions import actions_with

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

HASH_BYTES = 1 << 20
FIX = "bring the file back from a copy"


def read_chain(store: ArchiveStore, folder: str) -> list[Certificate]:
    """All certificates of a folder, in the order of their names.

    :param folder: relative to the store
    :raises ArchiveMismatch: when one is damaged
    """
    numbers = sorted(number for name in store.names(folder) if (number := certificate_number(name)))
    return [read_one(store, f"{folder}/{certificate_name(number)}".lstrip("/")) for number in numbers]


def read_one(store: ArchiveStore, path: str) -> Certificate:
    """One certificate.

    :param path: relative to the store
    :raises ArchiveMissing: when there is no such file
    :raises ArchiveMismatch: when it is damaged
    """
    data = store.read(path)
    shown = store.shown_path(path)
    if data is None:
        what = f"{shown} is not there"
        raise ArchiveMissing(what, written="nothing", fix=FIX)
    return read_certificate(data, shown)


def check_archive(store: ArchiveStore, certificate: Certificate) -> None:
    """Compare the files that a certificate names with those that are there.

    :param store: the base folder of the archive
    :raises ArchiveMissing: when a file is not there
    :raises ArchiveMismatch: when a file is another one
    """
    archive = certificate.values["archive"]
    folder = archive["folder"]
    _require_file(store, certificate, f"{folder}/{MANIFEST}", archive["manifest_sha256"])
    # none of these steps asks a server
    no_client = cast("InfluxClient", None)
    if drive(read_moved(folder), no_client, lambda _report: None, actions_with(store)) is not None:
        _require_larger(store, certificate)
        return
    for part in archive["files"]:
        _require_file(store, certificate, f"{folder}/{part['name']}", part["sha256"])


def _require_larger(store: ArchiveStore, certificate: Certificate) -> None:
    """The files went into those of a larger window: they must hold the same points."""
    archive = certificate.values["archive"]
    path = f"{archive['folder']}/{MANIFEST}"
    data = store.read(path) or b""
    published = Published(archive["folder"], Manifest.decode(data, path), data)
    no_client = cast("InfluxClient", None)
    held, found = drive(verify_held(published), no_client, lambda _report: None, actions_with(store))
    if found != Fingerprint.from_json(archive["content"]):
        what = f"{held.holder.folder} does not hold the points of {certificate.about} as they were"
        raise ArchiveMismatch(what, written="nothing", fix=FIX)


def _require_file(store: ArchiveStore, certificate: Certificate, path: str, sha256: str) -> None:
    with store.reading(path) as file:
        found = _sha256(file)
    if found != sha256:
        what = f"{store.shown_path(path)} is not the file that {certificate.about} names"
        raise ArchiveMismatch(what, written="nothing", fix=FIX)


def _sha256(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while piece := file.read(HASH_BYTES):
        found.update(piece)
    return found.hexdigest()
