"""Documents that an erasure leaves beside an archive: the erased tags as a salted hash, and the files that it removed."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_influx_rollup.archive.documents import damaged, decode_sealed, encode_sealed
from airflow_provider_influx_rollup.archive.paths import ERASURES
from airflow_provider_influx_rollup.exceptions import ConfigurationError

FORMAT = "influx-rollup-erased/1"
ALGORITHM = "scrypt"
# 16 MiB and some 40 ms for each guess: numbers of customers are few enough to be tried one after the other
COST, BLOCK_SIZE, PARALLEL, DIGEST_BYTES = 1 << 14, 8, 1, 32
SALT_BYTES = 16
FENCE = re.compile(r"fence-(\d{8,})")
STATE = re.compile(r"([0-9a-f]{16})\.json")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose series were erased: who knows the tags can check them; they cannot be read from it.

    :param keys: the tag keys, sorted
    :param salt: random, hex digits
    :param digest: of the tags with the salt, hex digits
    """

    keys: tuple[str, ...]
    salt: str
    digest: str

    @classmethod
    def of(cls, tags: Mapping[str, str], salt: bytes) -> Subject:
        """Hash tags.

        :param salt: at least 16 random bytes, of this erasure alone
        """
        if len(salt) < SALT_BYTES:
            what = f"a salt of {len(salt)} bytes is too short"
            raise ConfigurationError(what, written="nothing", fix=f"give {SALT_BYTES} random bytes")
        return cls(tuple(sorted(tags)), salt.hex(), _digest(tags, salt))

    def is_of(self, tags: Mapping[str, str]) -> bool:
        """Whether these are the tags."""
        if tuple(sorted(tags)) != self.keys:
            return False
        return hmac.compare_digest(self.digest, _digest(tags, bytes.fromhex(self.salt)))

    @property
    def label(self) -> str:
        """Short text for logs and file names, without the tags' values."""
        return self.digest[:16]

    def as_json(self) -> dict[str, Any]:
        """For a certificate: with all that is needed to compute the digest again."""
        return {
            "keys": list(self.keys),
            "algorithm": ALGORITHM,
            "n": COST,
            "r": BLOCK_SIZE,
            "p": PARALLEL,
            "salt": self.salt,
            "digest": self.digest,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Subject:
        """Undo ``as_json``."""
        return cls(tuple(values["keys"]), str(values["salt"]), str(values["digest"]))


def _digest(tags: Mapping[str, str], salt: bytes) -> str:
    text = json.dumps(dict(tags), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    found = hashlib.scrypt(
        text.encode(), salt=salt, n=COST, r=BLOCK_SIZE, p=PARALLEL, maxmem=1 << 26, dklen=DIGEST_BYTES
    )
    return found.hex()


@dataclass(frozen=True, slots=True)
class ErasedFiles:
    """Says that the files of a generation were removed on purpose; it lies in their folder.

    :param erase_id: also in the certificate
    :param generation: of the window
    :param manifest_sha256: of the manifest, which stays
    :param files: the removed files' names, each with its SHA-256
    """

    erase_id: str
    generation: int
    manifest_sha256: str
    files: tuple[tuple[str, str], ...]

    def encode(self) -> bytes:
        """The document as bytes."""
        return encode_sealed({"format": FORMAT, **asdict(self), "files": dict(self.files)})

    @classmethod
    def decode(cls, data: bytes, about: str) -> ErasedFiles:
        """Undo ``encode``.

        :param about: where it is, for the message
        :raises ArchiveMismatch: when its bytes were changed
        """
        values = decode_sealed(data, about)
        if values.get("format") != FORMAT:
            raise damaged(about, f"its format is {values.get('format')!r}, not {FORMAT!r}")
        try:
            files = tuple(sorted(values["files"].items()))
            return cls(values["erase_id"], int(values["generation"]), values["manifest_sha256"], files)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(about, f"{type(error).__name__}: {error}") from None


def erasures_folder(measurement_folder: str) -> str:
    """The folder of running erasures and of fences."""
    return f"{measurement_folder}/{ERASURES}"


def state_name(erase_id: str) -> str:
    """The name of the file that says how far an erasure is."""
    return f"{erase_id}.json"


def is_state(name: str) -> bool:
    """Whether a name is that of such a file."""
    return STATE.fullmatch(name) is not None


def fence_name(number: int) -> str:
    """The name of a fence; 1 is the first."""
    return f"fence-{number:08d}"


def fence_number(name: str) -> int:
    """The number of a fence's name; 0 for other files."""
    found = FENCE.fullmatch(name)
    return int(found[1]) if found else 0
