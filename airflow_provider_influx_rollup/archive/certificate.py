"""Certificates of what was deleted: JSON documents of which each names the hash of the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.archive.documents import (
    damaged,
    decode_document,
    encode_document,
    sha256_of,
)
from airflow_provider_influx_rollup.archive.paths import CERTIFICATES
from airflow_provider_influx_rollup.archive.signing_key import SigningKey
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch

FORMAT = "influx-rollup-certificate/1"
PURGE, ERASE = "purge", "erase"
NAME = re.compile(r"(\d{8,})\.json")
FIX = "bring the certificates back from a copy; the ledger has their hashes"


@dataclass(frozen=True, slots=True)
class Certificate:
    """One document whose bytes are as they were written.

    :param values: all that it says
    :param data: its bytes
    :param about: where it is, for messages
    """

    values: Mapping[str, Any]
    data: bytes
    about: str

    @property
    def number(self) -> int:
        """Its place in the chain; 1 is the first."""
        return int(self.values["number"])

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole file, which the next certificate names."""
        return sha256_of(self.data)

    @property
    def is_signed(self) -> bool:
        """Whether a key has signed it."""
        return self.values["signature"] is not None


def certificate_name(number: int) -> str:
    """The name of its file."""
    return f"{number:08d}.json"


def certificate_number(name: str) -> int | None:
    """The number of a file's name; None for other files."""
    found = NAME.fullmatch(name)
    return int(found[1]) if found and certificate_name(int(found[1])) == name else None


def certificates_folder(measurement_folder: str) -> str:
    """The folder of a measurement's certificates."""
    return f"{measurement_folder}/{CERTIFICATES}"


def seal(body: Mapping[str, Any], number: int, previous: Certificate | None, key: SigningKey | None) -> bytes:
    """The bytes of a certificate.

    :param body: what it says
    :param previous: the one before; None for the first
    :param key: signs it; None leaves it unsigned
    """
    values: dict[str, Any] = {
        **body,
        "format": FORMAT,
        "number": number,
        "previous": {
            "number": previous.number if previous else 0,
            "sha256": previous.sha256 if previous else "",
        },
        "signature": {"algorithm": key.algorithm, "key_id": key.key_id} if key else None,
    }
    if key is not None:
        values["signature"]["value"] = key.sign(_signed(values))
    values["sha256"] = sha256_of(encode_document(values))
    return encode_document(values)


def read_certificate(data: bytes, about: str) -> Certificate:
    """A certificate of which no byte was changed since its hash was made.

    :param about: where it is, for messages
    :raises ArchiveMismatch: when one was, with the reason
    """
    values = decode_document(data, about)
    if values.get("format") != FORMAT:
        raise damaged(about, f"its format is {values.get('format')!r}, not {FORMAT!r}")
    said = values.get("sha256")
    rest = {key: value for key, value in values.items() if key != "sha256"}
    if said != sha256_of(encode_document(rest)):
        raise damaged(about, "its hash is not that of what it says")
    if not {"number", "previous", "signature"} <= set(values):
        raise damaged(about, "it is no whole certificate")
    return Certificate(values, data, about)


def require_signature(certificate: Certificate, key: SigningKey) -> None:
    """Refuse a certificate that this key has not signed.

    :raises ArchiveMismatch: with the reason
    """
    signature = certificate.values["signature"]
    if signature is None:
        raise _wrong(certificate, "it is not signed")
    if signature["algorithm"] != key.algorithm or signature["key_id"] != key.key_id:
        raise _wrong(
            certificate, f"another key has signed it: {signature['algorithm']} {signature['key_id']}"
        )
    if not key.is_right(signature["value"], _signed(certificate.values)):
        raise _wrong(certificate, "its signature is not of what it says")


def require_chain(certificates: Sequence[Certificate]) -> None:
    """Refuse certificates that are not, one after the other, all that were written of a measurement.

    :param certificates: in the order of their files' names
    :raises ArchiveMismatch: naming the first that is missing, moved or of another measurement
    """
    before: Certificate | None = None
    for position, certificate in enumerate(certificates, start=1):
        previous = certificate.values["previous"]
        if certificate.number != position:
            raise _wrong(certificate, f"it says that it is number {certificate.number}, not {position}")
        expected = before.sha256 if before else ""
        if previous != {"number": position - 1, "sha256": expected}:
            raise _wrong(certificate, "the one before is not the one that it names")
        if before is not None and _place(before) != _place(certificate):
            raise _wrong(certificate, "it is of another measurement than the one before")
        before = certificate


def _signed(values: Mapping[str, Any]) -> bytes:
    """The signed bytes: all but the signature and the hash, which covers the signature too."""
    bare = {key: value for key, value in values["signature"].items() if key != "value"}
    rest = {key: value for key, value in values.items() if key != "sha256"}
    return encode_document({**rest, "signature": bare})


def _place(certificate: Certificate) -> tuple[Any, ...]:
    return tuple(certificate.values.get(name) for name in ("org", "bucket", "measurement"))


def _wrong(certificate: Certificate, why: str) -> ArchiveMismatch:
    return ArchiveMismatch(f"{certificate.about} is not right: {why}", written="nothing", fix=FIX)
