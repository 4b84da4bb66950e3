"""The manifest of one generation of an archived window: published last, it makes the generation exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.documents import damaged, decode_sealed, encode_sealed
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.exceptions import WindowError
from airflow_provider_influx_rollup.windows.interval import Interval

FORMAT = "influx-rollup-archive/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Parquet file: points of one value type, of one span of time.

    :param name: of the file, in the generation's folder
    :param kind: ``"float"``, ``"integer"``, ``"unsigned"``, ``"boolean"`` or ``"string"``
    :param first_ns: the earliest time in it, nanoseconds since the epoch, UTC
    :param last_ns: the latest time in it
    :param sha256: of the whole file
    """

    name: str
    kind: str
    rows: int
    bytes: int
    sha256: str
    first_ns: int
    last_ns: int

    def reaches(self, interval: Interval) -> bool:
        """Whether it may have points of an interval."""
        return self.first_ns < interval.stop_ns and self.last_ns >= interval.start_ns


def part_paths(folder: str, parts: Iterable[Part]) -> tuple[str, ...]:
    """The paths of files in a generation's folder."""
    return tuple(f"{folder}/{part.name}" for part in parts)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Contents and origin of a generation.

    :param generation: 1 is the first
    :param tags: tag keys, sorted: the columns of the files
    :param content: fingerprint of the files
    :param source: fingerprint of what the bucket held then; it differs from the content only when points of an earlier
        generation, which were purged since, were taken over
    :param created_at: RFC 3339, UTC
    :param previous: generation whose place this one takes; 0 for none
    :param run: ``dag_id``, ``task_id``, ``run_id``, ``try_number``, ``map_index``
    :param versions: of this package, pyarrow and the server
    :param reason: why there is a new generation
    :param org: what the folder is named after; the organisation may have been renamed since. Likewise the bucket
    :param bucket_id: of the bucket, whatever it is called; empty in manifests of before there were ids
    """

    org: str
    bucket: str
    measurement: str
    window: Interval
    generation: int
    tags: tuple[str, ...]
    parts: tuple[Part, ...]
    content: Fingerprint
    source: Fingerprint
    created_at: str
    previous: int = 0
    run: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    bucket_id: str = ""

    @property
    def size_bytes(self) -> int:
        """Size of all files, in bytes."""
        return sum(part.bytes for part in self.parts)

    def encode(self) -> bytes:
        """The bytes of ``manifest.json``."""
        return encode_sealed(
            {
                "format": FORMAT,
                "org": self.org,
                "bucket": self.bucket,
                "measurement": self.measurement,
                "window": self.window.as_json(),
                "generation": self.generation,
                "previous": self.previous,
                "reason": self.reason,
                "tags": list(self.tags),
                "parts": [asdict(part) for part in self.parts],
                "content": self.content.as_json(),
                "source": self.source.as_json(),
                "created_at": self.created_at,
                "run": dict(self.run),
                "versions": dict(self.versions),
                **({"bucket_id": self.bucket_id} if self.bucket_id else {}),
            }
        )

    @classmethod
    def decode(cls, data: bytes, about: str) -> Manifest:
        """Undo ``encode``.

        :param about: where it is, for the message
        :raises ArchiveMismatch: when it is no manifest of this format, or its bytes were changed
        """
        values = decode_sealed(data, about)
        if values.get("format") != FORMAT:
            raise damaged(about, f"its format is {values.get('format')!r}, not {FORMAT!r}")
        try:
            return cls(
                org=_text(values["org"]),
                bucket=_text(values["bucket"]),
                measurement=_text(values["measurement"]),
                window=Interval.from_json(values["window"]),
                generation=int(values["generation"]),
                tags=tuple(map(_text, values["tags"])),
                parts=tuple(Part(**part) for part in values["parts"]),
                content=Fingerprint.from_json(values["content"]),
                source=Fingerprint.from_json(values["source"]),
                created_at=_moment(values["created_at"]),
                previous=int(values["previous"]),
                run=dict(values["run"].items()),
                versions=dict(values["versions"].items()),
                reason=_text(values["reason"]),
                bucket_id=_text(values.get("bucket_id", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, WindowError) as error:
            raise damaged(about, f"{type(error).__name__}: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        what = f"{str(value)[:80]} is no text"
        raise TypeError(what)
    return value


def _moment(value: Any) -> str:
    if datetime.fromisoformat(_text(value)).tzinfo is None:
        what = f"{value} has no time zone"
        raise ValueError(what)
    return str(value)
