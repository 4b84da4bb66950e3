"""The certificates of a measurement, beside its archive: reading them, and adding the next one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.archive.certificate import (
    PURGE,
    Certificate,
    certificate_name,
    certificate_number,
    certificates_folder,
    read_certificate,
    seal,
)
from airflow_provider_influx_rollup.archive.signing_key import SigningKey
from airflow_provider_influx_rollup.exceptions import ArchiveMissing
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew, ReadBytes


def last_number(measurement_folder: str) -> Steps[int]:
    """The number of the last certificate; 0 when there is none."""
    names = yield from ask(ListFolder(certificates_folder(measurement_folder)))
    return max((number for name in names if (number := certificate_number(name))), default=0)


def require_last(measurement_folder: str) -> Steps[int]:
    """Make sure that the chain can continue.

    :return: the number of the last certificate
    :raises ArchiveMismatch: when the last one is damaged
    """
    number = yield from last_number(measurement_folder)
    if number:
        yield from read_numbered(measurement_folder, number)
    return number


def read_numbered(measurement_folder: str, number: int) -> Steps[Certificate]:
    """One certificate.

    :raises ArchiveMissing: when there is none of this number
    :raises ArchiveMismatch: when it is damaged
    """
    path = f"{certificates_folder(measurement_folder)}/{certificate_name(number)}"
    data = yield from ask(ReadBytes(path))
    if data is None:
        what = f"there is no certificate {path}"
        raise ArchiveMissing(what, written="nothing", fix="bring the file back from a copy")
    return read_certificate(data, path)


def find_by_purge(
    measurement_folder: str, about: Mapping[str, Any], after: int
) -> Steps[tuple[Certificate | None, int]]:
    """The certificate of a purge, which a run that died, or one that was at it at the same time, may have written.

    :param about: what it says, or the proof that it is going to be made of, with its ``purge_id``
    :param after: only those with a higher number
    :return: the certificate, and the number of the last one that was looked at
    """
    number = after
    for number in range(after + 1, (yield from last_number(measurement_folder)) + 1):
        found = yield from read_numbered(measurement_folder, number)
        if _is_same(found, about):
            return found, number
    return None, number


def later_purge(measurement_folder: str, certificate: Certificate, after: int) -> Steps[Certificate | None]:
    """The certificate of a purge of a later generation of the same window; None when there is none.

    :param after: only those with a higher number
    """
    mine = certificate.values
    for number in range(after + 1, (yield from last_number(measurement_folder)) + 1):
        other = yield from read_numbered(measurement_folder, number)
        if other.values.get("kind") != PURGE or other.values["window"] != mine["window"]:
            continue
        if other.values["archive"]["generation"] > mine["archive"]["generation"]:
            return other
    return None


def add_certificate(
    measurement_folder: str, body: Mapping[str, Any], key: SigningKey | None, after: int | None = None
) -> Steps[Certificate]:
    """Write the next certificate of the chain; when another run takes its number, the one after that.

    Two runs that finish the same purge make one: whoever is later takes that of the other.

    :param body: what it says
    :param key: signs it; None leaves it unsigned
    :param after: number of the last one that was looked at; None: of the last one that there is
    :raises ArchiveMismatch: when the one before is damaged
    """
    number = (yield from last_number(measurement_folder)) if after is None else after
    while True:
        previous = (yield from read_numbered(measurement_folder, number)) if number else None
        if previous is not None and number != after and "purge_id" in body and _is_same(previous, body):
            return previous
        number += 1
        data = seal(body, number, previous, key)
        path = f"{certificates_folder(measurement_folder)}/{certificate_name(number)}"
        if (yield from ask(PutNew(path, data))):
            return read_certificate(data, path)


def _is_same(certificate: Certificate, about: Mapping[str, Any]) -> bool:
    """Whether a certificate is of this purge, or of one of the same points that ended during this one."""
    values = certificate.values
    if values.get("purge_id") == about["purge_id"]:
        return True
    if values.get("kind") != PURGE or values["window"] != about["window"]:
        return False
    return bool(values["archive"]["generation"] == about["archive"]["generation"])
