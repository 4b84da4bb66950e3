"""Fingerprints of points: counts and sums of row hashes, by field and by series. Order does not matter, parts add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.hashing import MASK


@dataclass(frozen=True, slots=True)
class Total:
    """Some points of one field and type, or of one series.

    :param hash: sum of their row hashes modulo 2^64, as 16 hex digits
    """

    rows: int
    hash: str

    def plus(self, other: Total) -> Total:
        """Total of both."""
        return Total(self.rows + other.rows, f"{(int(self.hash, 16) + int(other.hash, 16)) & MASK:016x}")


NOTHING = Total(0, f"{0:016x}")


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Fingerprint of some points; two of them are equal when the points are.

    :param fields: by field and value type
    :param series: by the hash of a tag set; kept in memory, and in no manifest
    :param doubled: points that share series, field and time with others, where that was asked; in no manifest
    :param doubled_series: some of their series, for people
    """

    fields: Mapping[tuple[str, str], Total] = field(default_factory=dict)
    series: Mapping[int, Total] = field(default_factory=dict, compare=False)
    series_count: int = 0
    doubled: int = field(default=0, compare=False)
    doubled_series: tuple[str, ...] = field(default=(), compare=False)

    @property
    def total(self) -> Total:
        """Total of all points."""
        total = NOTHING
        for one in self.fields.values():
            total = total.plus(one)
        return total

    def differences(self, other: Fingerprint, mine: str, theirs: str) -> list[str]:
        """Name what differs, by field; empty when nothing does.

        :param mine: what this one is of, such as ``"the file"``
        """
        found = []
        for key in sorted({*self.fields, *other.fields}):
            own, its = self.fields.get(key, NOTHING), other.fields.get(key, NOTHING)
            if own != its:
                how = (
                    f"{own.rows} in {mine}, {its.rows} in {theirs}"
                    if own.rows != its.rows
                    else f"{own.rows} in both, not the same"
                )
                found.append(f"field {key[0]!r} ({key[1]}): {how}")
        return found

    def lacks_points_of(self, before: Fingerprint) -> bool:
        """Whether some field has fewer points than it had."""
        return any(self.fields.get(key, NOTHING).rows < one.rows for key, one in before.fields.items())

    def as_json(self) -> dict[str, Any]:
        """For a manifest: without the series."""
        total = self.total
        fields: dict[str, dict[str, Any]] = {}
        for (name, kind), one in sorted(self.fields.items()):
            fields.setdefault(name, {})[kind] = {"rows": one.rows, "hash": one.hash}
        return {"rows": total.rows, "hash": total.hash, "series": self.series_count, "fields": fields}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fingerprint:
        """Undo ``as_json``."""
        fields = {
            (name, kind): Total(int(one["rows"]), str(one["hash"]))
            for name, kinds in values["fields"].items()
            for kind, one in kinds.items()
        }
        return cls(fields=fields, series={}, series_count=int(values["series"]))


def merge(fingerprints: Iterable[Fingerprint]) -> Fingerprint:
    """The fingerprint of parts that have no point in common."""
    fields: dict[tuple[str, str], Total] = {}
    series: dict[int, Total] = {}
    doubled = 0
    named: dict[str, None] = {}
    for one in fingerprints:
        doubled += one.doubled
        named.update(dict.fromkeys(one.doubled_series))
        for key, total in one.fields.items():
            fields[key] = fields.get(key, NOTHING).plus(total)
        for number, total in one.series.items():
            series[number] = series.get(number, NOTHING).plus(total)
    return Fingerprint(
        fields=fields, series=series, series_count=len(series), doubled=doubled, doubled_series=tuple(named)
    )
