"""JSON documents beside the data: one way to write each, so that their bytes can be hashed and compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.archive.paths import window_of_path
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch

SEAL = "sha256"
# at the depth of the document's own keys: no text of JSON has a line break in it
LINE_OF_SEAL = re.compile(rb'\n  "sha256": "([0-9a-f]{64})",(?=\n)')


def encode_document(values: Mapping[str, Any]) -> bytes:
    """Canonical JSON: sorted keys, two spaces, UTF-8, a newline at the end."""
    return (json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def decode_document(data: bytes, about: str) -> dict[str, Any]:
    """Undo ``encode_document``.

    :param about: what it is, for the message
    :raises ArchiveMismatch: when it is not exactly what ``encode_document`` writes
    """
    try:
        values = json.loads(data)
        is_same = isinstance(values, dict) and encode_document(values) == data
    except (ValueError, RecursionError) as error:
        raise damaged(about, str(error)) from None
    if not is_same:
        raise damaged(about, "its bytes were changed")
    found: dict[str, Any] = values
    return found


def encode_sealed(values: Mapping[str, Any]) -> bytes:
    """Canonical JSON with the hash of all the rest in it, so that a change of any byte is found."""
    return encode_document({**values, SEAL: sha256_of(encode_document(values))})


def decode_sealed(data: bytes, about: str) -> dict[str, Any]:
    """Undo ``encode_sealed``.

    :param about: what it is, for the message
    :raises ArchiveMismatch: when a byte of it was changed
    """
    if _is_as_sealed(data):
        try:
            known: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise damaged(about, str(error)) from None
        del known[SEAL]
        return known
    values = decode_document(data, about)
    if values.pop(SEAL, None) != sha256_of(encode_document(values)):
        raise damaged(about, "its bytes were changed")
    return values


def _is_as_sealed(data: bytes) -> bool:
    """Whether all but the line of the seal has the hash that it says.

    That takes a tenth of the time of encoding it all again. False decides nothing: the message tells what is wrong.
    """
    lines = list(LINE_OF_SEAL.finditer(data))
    if len(lines) != 1:
        return False
    (line,) = lines
    return sha256_of(data[: line.start()] + data[line.end() :]) == line[1].decode()


def damaged(about: str, why: str) -> ArchiveMismatch:
    """The error of a document that cannot be trusted."""
    return ArchiveMismatch(
        f"{about} is damaged: {why}",
        window=window_of_path(about),
        written="nothing",
        fix="bring the file back from a copy",
    )


def sha256_of(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()
