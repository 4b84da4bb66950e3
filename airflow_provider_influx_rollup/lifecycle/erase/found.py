"""Findings of an erasure in each place: the numbers of its certificate, as plain values that survive a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.windows.coverage import merge as merge_intervals
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True)
class Holding:
    """Points of the series in one place.

    :param place: name of the place, one of its own
    :param points: what was found; empty where only the number is known
    :param rows: how many points or records
    :param details: more of it, for the certificate
    """

    place: str
    points: Fingerprint
    rows: int
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, place: str, points: Fingerprint, **details: Any) -> Holding:
        """Places that were read point by point."""
        return cls(place, points, points.total.rows, details)

    def plus(self, other: Holding) -> Holding:
        """Both, found one after the other."""
        return Holding(
            self.place,
            _sum(self.points, other.points),
            self.rows + other.rows,
            {**self.details, **other.details},
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "place": self.place,
            "points": self.points.as_json(),
            "rows": self.rows,
            "details": dict(self.details),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Holding:
        """Undo ``as_json``."""
        points = Fingerprint.from_json(values["points"])
        return cls(values["place"], points, int(values["rows"]), values["details"])


@dataclass(frozen=True)
class ErasureFindings:
    """Points of the series in all places, as one scan found them.

    :param held: by place; places without anything are left out
    :param spans: parts of time in which the source, the archive or copies had points
    :param rows: of each pipeline's target: windows that had rows, by start in nanoseconds, with the number of source
        points that these stand for
    """

    held: Mapping[str, Holding] = field(default_factory=dict)
    spans: tuple[Interval, ...] = ()
    rows: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Totals over all places."""
        return sum(one.rows for one in self.held.values())

    def of_kind(self, kind: str) -> list[Holding]:
        """The places of a kind, which their names begin with."""
        return [one for place, one in sorted(self.held.items()) if place.partition(" ")[0] == kind]

    def plus(self, later: ErasureFindings) -> ErasureFindings:
        """With what a later look has found, after all of this was deleted."""
        held = dict(self.held)
        for place, one in later.held.items():
            held[place] = held[place].plus(one) if place in held else one
        return ErasureFindings(held, _spans(self, later), _rows(self, later, adds=True))

    def again(self, later: ErasureFindings) -> ErasureFindings:
        """With what a later look has found, when some of this may have been deleted before it: the larger of both."""
        held = dict(self.held)
        for place, one in later.held.items():
            known = held.get(place)
            if known is None or known.rows < one.rows:
                held[place] = replace(one, details={**known.details, **one.details}) if known else one
        return ErasureFindings(held, _spans(self, later), _rows(self, later, adds=False))

    def with_windows(self, windows: Mapping[str, Iterable[int]]) -> ErasureFindings:
        """With more windows of pipelines, by start in nanoseconds, whose rows are not counted."""
        new = {name: dict.fromkeys(starts, 0) for name, starts in windows.items()}
        return replace(self, rows=_rows(self, ErasureFindings(rows=new), adds=True)) if new else self

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "held": [one.as_json() for _, one in sorted(self.held.items())],
            "spans": [span.as_json() for span in self.spans],
            "rows": {
                name: {str(start): points for start, points in sorted(starts.items())}
                for name, starts in sorted(self.rows.items())
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ErasureFindings:
        """Undo ``as_json``."""
        held = [Holding.from_json(one) for one in values["held"]]
        return cls(
            {one.place: one for one in held},
            tuple(Interval.from_json(span) for span in values["spans"]),
            {
                name: {int(start): points for start, points in starts.items()}
                for name, starts in values["rows"].items()
            },
        )


def found_of(
    held: Iterable[Holding], spans: Iterable[Interval], rows: Mapping[str, Mapping[int, int]]
) -> ErasureFindings:
    """Findings of one scan; empty places are left out."""
    full = {one.place: one for one in held if one.rows}
    return ErasureFindings(
        full, tuple(merge_intervals(spans)), {name: some for name, some in rows.items() if some}
    )


def _sum(left: Fingerprint, right: Fingerprint) -> Fingerprint:
    # series are hashes that are kept in no document; how many of two scans are the same is unknown
    both = merge([left, right])
    return Fingerprint(fields=both.fields, series={}, series_count=max(left.series_count, right.series_count))


def _spans(one: ErasureFindings, other: ErasureFindings) -> tuple[Interval, ...]:
    return tuple(merge_intervals([*one.spans, *other.spans]))


def _rows(one: ErasureFindings, other: ErasureFindings, *, adds: bool) -> dict[str, dict[int, int]]:
    both = {name: dict(starts) for name, starts in one.rows.items()}
    for name, starts in other.rows.items():
        known = both.setdefault(name, {})
        for start, points in starts.items():
            before = known.get(start, 0)
            known[start] = before + points if adds else max(before, points)
    return both
