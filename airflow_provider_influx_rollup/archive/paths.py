"""Paths of a measurement's windows: ``org/bucket/measurement/window=<start>_<stop>/gen=<n>/``."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowError
from airflow_provider_influx_rollup.windows.interval import Interval

MANIFEST = "manifest.json"
CERTIFICATES = "certificates"
INTENT = "purge.json"
CLAIMS = "claims"
DELETES = "deletes"
FAILED_TRIES = "expiring.json"
ERASURES = "erasures"
ERASED = "erased.json"

SAFE = re.compile(rb"[A-Za-z0-9_-]")
ENCODED = re.compile(rb"%([0-9A-F]{2})")
WINDOW = re.compile(r"window=(?P<start>\d{8}T\d{6}(?:\.\d{6})?Z)_(?P<stop>\d{8}T\d{6}(?:\.\d{6})?Z)")
GENERATION = re.compile(r"gen=(?P<number>[1-9]\d*)")
# what file systems and object stores allow in one name
MAX_NAME_BYTES = 255
# of a longer one, so that three of them fit into the key of an object
MAX_BEGIN_BYTES = 120
DIGEST_HEX = 32


def encode_name(name: str) -> str:
    """A name as one part of a path: all but letters, digits, ``_`` and ``-`` as ``%`` and two hex digits of UTF-8.

    Of one that is longer than a file name may be so: its begin, ``~``, which no other has, and a hash of the whole.

    :raises ConfigurationError: when it is empty
    """
    if not name:
        what = "a folder has no name"
        raise ConfigurationError(what, written="nothing", fix="give a name")
    encoded = _percent_encoded(name)
    if len(encoded) <= MAX_NAME_BYTES:
        return encoded
    begin = ""
    for character in name:
        longer = begin + _percent_encoded(character)
        if len(longer) > MAX_BEGIN_BYTES:
            break
        begin = longer
    return f"{begin}~{hashlib.sha256(name.encode()).hexdigest()[:DIGEST_HEX]}"


def _percent_encoded(name: str) -> str:
    return "".join(
        chr(byte) if SAFE.match(bytes([byte])) else f"%{byte:02X}" for byte in name.encode("utf-8")
    )


def decode_name(part: str) -> str:
    """The name that a part of a path stands for, but for the end of a long one, which the path does not have."""
    decoded = ENCODED.sub(lambda found: bytes([int(found[1], 16)]), part.encode())
    return decoded.decode("utf-8", "replace")


def measurement_folder(org: str, bucket: str, measurement: str) -> str:
    """The folder of all windows of a measurement."""
    return "/".join(encode_name(name) for name in (org, bucket, measurement))


def window_folder(measurement_folder: str, window: Interval) -> str:
    """The folder of a window's generations."""
    return f"{measurement_folder}/window={_stamp(window.start)}_{_stamp(window.stop)}"


def generation_folder(window_folder: str, generation: int) -> str:
    """The folder of one generation.

    :param generation: 1 is the first
    """
    return f"{window_folder}/gen={generation}"


def parse_window(name: str) -> Interval | None:
    """The window of a folder's name; None for other folders, such as one whose times are none, or in the wrong order."""
    found = WINDOW.fullmatch(name)
    if not found:
        return None
    try:
        return Interval(_instant(found["start"]), _instant(found["stop"]))
    except (ValueError, WindowError):
        return None


def window_of_path(path: str) -> Interval | None:
    """The window that a path of an archive is of; None when it is of none, such as a certificate's."""
    names = [window for name in path.split("/") if (window := parse_window(name))]
    return names[-1] if names else None


def parse_generation(name: str) -> int | None:
    """The generation of a folder's name; None for other folders."""
    found = GENERATION.fullmatch(name)
    return int(found["number"]) if found else None


def _stamp(instant: datetime) -> str:
    # no strftime: it does not pad years before 1000
    utc = instant.astimezone(UTC)
    text = f"{utc.year:04d}{utc.month:02d}{utc.day:02d}T{utc.hour:02d}{utc.minute:02d}{utc.second:02d}"
    return f"{text}.{utc.microsecond:06d}Z" if utc.microsecond else f"{text}Z"


def _instant(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
