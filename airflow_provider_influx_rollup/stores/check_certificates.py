"""Check certificates years later, with nothing but the files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, cast

from airflow_provider_influx_rollup.archive.certificate import (
    ERASE,
    Certificate,
    certificate_name,
    certificate_number,
    read_certificate,
)
from airflow_provider_influx_rollup.archive.documents import damaged
from airflow_provider_influx_rollup.archive.erasure import ErasedFiles
from airflow_provider_influx_rollup.archive.fingerprint import NOTHING, Fingerprint
from airflow_provider_influx_rollup.archive.paths import (
    CERTIFICATES,
    ERASED,
    MANIFEST,
    generation_folder,
    window_folder,
    window_of_path,
)
from airflow_provider_influx_rollup.archive.placement import decode_in_place
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import (
    MOVED,
    find_held,
    read_moved,
    verify_held,
)
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
    if certificate.values["kind"] == ERASE:
        _check_erased(store, certificate)
        return
    folder = archive["folder"]
    _require_file(store, certificate, f"{folder}/{MANIFEST}", archive["manifest_sha256"])
    if _is_erased(store, archive):
        return
    # none of these steps asks a server
    no_client = cast("InfluxClient", None)
    if drive(read_moved(folder), no_client, lambda _report: None, actions_with(store)) is not None:
        _require_larger(store, certificate)
        return
    for part in archive["files"]:
        _require_file(store, certificate, f"{folder}/{part['name']}", part["sha256"])


def _check_erased(store: ArchiveStore, certificate: Certificate) -> None:
    """The files that were removed are not there, and those that took their place are what they were.

    :raises ArchiveMismatch: when a removed file is back
    """
    archive = certificate.values["archive"]
    for removed in archive["removed"]:
        folder = removed["folder"]
        _require_file(store, certificate, f"{folder}/{MANIFEST}", removed["manifest_sha256"])
        back = {part["name"] for part in removed["files"]}.intersection(store.names(folder))
        if back:
            what = f"{store.shown_path(folder)}/{min(back)} is there again, which {certificate.about} says was erased"
            fix = "remove it, and find out who brought it back"
            raise ArchiveMismatch(what, window=window_of_path(folder), written="nothing", fix=fix)
    for after in archive["after"]:
        _require_file(store, certificate, f"{after['folder']}/{MANIFEST}", after["manifest_sha256"])
        if not _is_erased(store, after) and MOVED not in store.names(after["folder"]):
            for part in after["files"]:
                _require_file(store, certificate, f"{after['folder']}/{part['name']}", part["sha256"])


def _is_erased(store: ArchiveStore, generation: Mapping[str, Any]) -> bool:
    """Whether an erasure has removed the files of a generation since.

    :param generation: with ``folder`` and ``manifest_sha256``
    :raises ArchiveMismatch: when what says so is damaged, or of another generation
    """
    path = f"{generation['folder']}/{ERASED}"
    data = store.read(path)
    if data is None:
        return False
    erased = ErasedFiles.decode(data, store.shown_path(path))
    if erased.manifest_sha256 != generation["manifest_sha256"]:
        raise damaged(store.shown_path(path), "it is of another generation")
    return True


def _require_larger(store: ArchiveStore, certificate: Certificate) -> None:
    """The files went into those of a larger window: they must hold the same points."""
    archive = certificate.values["archive"]
    path = f"{archive['folder']}/{MANIFEST}"
    data = store.read(path) or b""
    published = Published(archive["folder"], decode_in_place(data, path), data)
    # none of these steps asks a server
    no_client = cast("InfluxClient", None)
    holder = drive(find_held(published), no_client, lambda _report: None, actions_with(store)).holder
    if _is_erased(store, {"folder": holder.folder, "manifest_sha256": holder.sha256}):
        return
    held, found = drive(verify_held(published), no_client, lambda _report: None, actions_with(store))
    content = Fingerprint.from_json(archive["content"])
    if found != content and not _is_rewritten(store, published.folder, content, found):
        what = f"{held.holder.folder} does not hold the points of {certificate.about} as they were"
        raise ArchiveMismatch(what, window=published.manifest.window, written="nothing", fix=FIX)


def _is_rewritten(store: ArchiveStore, folder: str, content: Fingerprint, found: Fingerprint) -> bool:
    """Whether erasures took from larger windows what a small one has lost: no field has more, or others, than that.

    :param folder: of the small generation
    :param content: what it held
    :param found: what is left of it
    """
    lost = {key: one.rows - found.fields.get(key, NOTHING).rows for key, one in content.fields.items()}
    changed = [key for key, one in content.fields.items() if found.fields.get(key, NOTHING) != one]
    if set(found.fields) - set(content.fields) or any(lost[key] <= 0 for key in changed):
        return False
    erased = _erased_from_larger(store, folder)
    return erased is None or all(lost[key] <= erased.get(key, 0) for key in changed)


def _erased_from_larger(store: ArchiveStore, folder: str) -> dict[tuple[str, str], int] | None:
    """Points that erasures took from the larger windows of a small one, by field; None while one is not certified yet.

    :param folder: of the small generation
    """
    no_client = cast("InfluxClient", None)
    measurement = folder.rpartition("/")[0].rpartition("/")[0]
    certificates = read_chain(store, f"{measurement}/{CERTIFICATES}")
    removed = [
        one
        for each in certificates
        if each.values["kind"] == ERASE
        for one in each.values["archive"]["removed"]
    ]
    known = {one["folder"]: Fingerprint.from_json(one["erased"]) for one in removed}
    erased: dict[tuple[str, str], int] = {}
    while moved := drive(read_moved(folder), no_client, lambda _report: None, actions_with(store)):
        larger = window_folder(measurement, moved.window)
        for name in store.names(larger):
            if store.read(f"{larger}/{name}/{ERASED}") is None:
                continue
            if f"{larger}/{name}" not in known:
                return None
            for key, total in known[f"{larger}/{name}"].fields.items():
                erased[key] = erased.get(key, 0) + total.rows
        folder = generation_folder(larger, moved.generation)
    return erased


def _require_file(store: ArchiveStore, certificate: Certificate, path: str, sha256: str) -> None:
    with store.reading(path) as file:
        found = _sha256(file)
    if found != sha256:
        what = f"{store.shown_path(path)} is not the file that {certificate.about} names"
        raise ArchiveMismatch(what, window=window_of_path(path), written="nothing", fix=FIX)


def _sha256(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while piece := file.read(HASH_BYTES):
        found.update(piece)
    return found.hexdigest()
