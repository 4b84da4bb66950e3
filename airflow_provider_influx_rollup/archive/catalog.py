"""The index of a measurement's windows: what a reader would otherwise gather from thousands of folders.

Beside the windows' folders lies ``catalog/``. In it are numbered versions of the index, and marks: small files that say
that a generation is about to be published. Whoever makes a mark does so before the manifest; it stays until a version
knows that generation, or a later one. So a version and the marks together never miss a generation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.documents import damaged, decode_sealed, encode_sealed
from airflow_provider_influx_rollup.archive.manifest import Manifest, Part
from airflow_provider_influx_rollup.archive.paths import parse_window, window_folder
from airflow_provider_influx_rollup.exceptions import WindowError
from airflow_provider_influx_rollup.windows.coverage import merge
from airflow_provider_influx_rollup.windows.interval import Interval

FORMAT = "influx-rollup-catalog/1"
FOLDER = "catalog"
#: in a manifest's ``run``: the windows and generations that it was compacted from
COMPACTED = "compacted"

VERSION = re.compile(r"(?P<number>\d{8,})\.json")
MARK = re.compile(r"(?P<window>window=.+)\.gen=(?P<number>[1-9]\d*)\.mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The newest generation of one window.

    :param created_at: RFC 3339, UTC
    :param compacted: windows, with their generations, whose points it holds
    """

    window: Interval
    generation: int
    created_at: str
    rows: int
    bytes: int
    series: int
    tags: tuple[str, ...]
    parts: tuple[Part, ...]
    compacted: Mapping[Interval, int] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> Entry:
        """The index entry of a manifest."""
        return cls(
            window=manifest.window,
            generation=manifest.generation,
            created_at=manifest.created_at,
            rows=manifest.content.total.rows,
            bytes=manifest.size_bytes,
            series=manifest.content.series_count,
            tags=manifest.tags,
            parts=manifest.parts,
            compacted=compacted_of(manifest),
        )

    @property
    def made_at(self) -> datetime:
        """Time of its creation; as texts, times with and without a fraction of a second do not sort."""
        return datetime.fromisoformat(self.created_at)

    @property
    def covered(self) -> list[Interval]:
        """The times that it stands for: its window, or, when it was compacted, the smallest windows that it was made of."""
        if not self.compacted:
            return [self.window]
        ordered = sorted(self.compacted, key=lambda window: (window.start, -window.stop_ns))
        # one that holds others comes just before the first of them
        following = [*ordered[1:], None]
        return merge(
            one for one, after in zip(ordered, following, strict=True) if not (after and one.covers(after))
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "window": self.window.as_json(),
            "generation": self.generation,
            "created_at": self.created_at,
            "rows": self.rows,
            "bytes": self.bytes,
            "series": self.series,
            "tags": list(self.tags),
            "parts": [asdict(part) for part in self.parts],
            "compacted": compacted_as_json(self.compacted),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Entry:
        """Undo ``as_json``."""
        return cls(
            window=Interval.from_json(values["window"]),
            generation=int(values["generation"]),
            created_at=values["created_at"],
            rows=int(values["rows"]),
            bytes=int(values["bytes"]),
            series=int(values["series"]),
            tags=tuple(values["tags"]),
            parts=tuple(Part(**part) for part in values["parts"]),
            compacted=_windows_of(values["compacted"]),
        )


@dataclass(frozen=True)
class Catalog:
    """One version of the index.

    :param version: 0 for the empty one that no file holds
    :param folder: of the measurement; empty in files of before, which do not have it
    """

    version: int = 0
    entries: Mapping[Interval, Entry] = field(default_factory=dict)
    folder: str = ""

    def next(self, changed: Iterable[Entry], folder: str) -> Catalog:
        """The version after this one.

        :param folder: of the measurement
        """
        entries = {**self.entries, **{entry.window: entry for entry in changed}}
        return Catalog(self.version + 1, entries, folder)

    def encode(self) -> bytes:
        """The index as bytes."""
        entries = [entry.as_json() for _, entry in sorted(self.entries.items())]
        values = {"format": FORMAT, "version": self.version, "folder": self.folder, "entries": entries}
        return encode_sealed(values)

    @classmethod
    def decode(cls, data: bytes, about: str) -> Catalog:
        """Undo ``encode``.

        :param about: where it is, for the message
        :raises ArchiveMismatch: when its bytes were changed, or it is of another measurement
        """
        values = decode_sealed(data, about)
        if values.get("format") != FORMAT:
            raise damaged(about, f"its format is {values.get('format')!r}, not {FORMAT!r}")
        folder = values.get("folder", "")
        if folder and not about.startswith(f"{folder}/{FOLDER}/"):
            raise damaged(about, f"it is of {folder}")
        try:
            entries = [Entry.from_json(entry) for entry in values["entries"]]
            return cls(int(values["version"]), {entry.window: entry for entry in entries}, folder)
        except (KeyError, TypeError, ValueError, AttributeError, WindowError) as error:
            raise damaged(about, f"{type(error).__name__}: {error}") from None


@dataclass(frozen=True, slots=True)
class Mark:
    """A generation that is about to be published, or was."""

    window: Interval
    generation: int

    @property
    def name(self) -> str:
        """Name of the entry's file."""
        return f"{window_folder('', self.window).lstrip('/')}.gen={self.generation}.mark"


def compacted_of(manifest: Manifest) -> dict[Interval, int]:
    """The windows, with their generations, that a generation was compacted from; empty for all others."""
    return _windows_of(manifest.run.get(COMPACTED, ()))


def compacted_as_json(compacted: Mapping[Interval, int]) -> list[dict[str, Any]]:
    """For a manifest's ``run``."""
    return [
        {"window": window.as_json(), "generation": number} for window, number in sorted(compacted.items())
    ]


def _windows_of(values: Iterable[Mapping[str, Any]]) -> dict[Interval, int]:
    return {Interval.from_json(one["window"]): int(one["generation"]) for one in values}


def version_name(version: int) -> str:
    """The file of a version; names sort as the numbers do."""
    return f"{version:08d}.json"


def parse_versions(names: Iterable[str]) -> list[int]:
    """The versions among the names of a folder, in order."""
    return sorted(int(found["number"]) for name in names if (found := VERSION.fullmatch(name)))


def parse_marks(names: Iterable[str]) -> list[Mark]:
    """The marks among the names of a folder."""
    found = [
        (parse_window(mark["window"]), int(mark["number"]))
        for name in names
        if (mark := MARK.fullmatch(name))
    ]
    return [Mark(window, number) for window, number in found if window is not None]
