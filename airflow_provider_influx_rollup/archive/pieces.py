"""Choose the generations that cover each part of an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from airflow_provider_influx_rollup.archive.catalog import Entry
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an interval, and the generations that hold its points.

    :param entries: at least one; most often one. Where windows of several lengths were archived, all of them: one may
        lack points that were purged before it was made. The one made last comes first, and its points win.
    """

    interval: Interval
    entries: tuple[Entry, ...]


def cut_pieces(entries: Sequence[Entry], interval: Interval) -> list[Piece]:
    """Cut an interval where its archived windows begin and end; what no window covers is left out.

    A window that was compacted into a larger one counts only where it has changed since, and then instead of that. The
    larger one counts only where it was made of windows.
    """
    clipped = sorted(
        (
            (max(held.start, interval.start), min(held.stop, interval.stop), entry)
            for entry in entries
            if entry.window.overlaps(interval)
            for held in entry.covered
            if held.overlaps(interval)
        ),
        key=lambda one: one[:2],
    )
    bounds = sorted({bound for first, last, _ in clipped for bound in (first, last)})
    pieces: list[Piece] = []
    begun: list[tuple[datetime, datetime, Entry]] = []
    taken = 0
    for start, stop in pairwise(bounds):
        while taken < len(clipped) and clipped[taken][0] <= start:
            begun.append(clipped[taken])
            taken += 1
        begun = [one for one in begun if one[1] > start]
        if begun:
            _add(pieces, Piece(Interval(start, stop), _standing([entry for _, _, entry in begun])))
    return pieces


def _add(pieces: list[Piece], piece: Piece) -> None:
    """Add a piece, or make the last one longer."""
    last = pieces[-1] if pieces else None
    if last and last.entries == piece.entries and last.interval.stop == piece.interval.start:
        pieces[-1] = Piece(Interval(last.interval.start, piece.interval.stop), piece.entries)
    else:
        pieces.append(piece)


def _standing(covering: list[Entry]) -> tuple[Entry, ...]:
    """Those that count, the one made last first: of all that were made of one small window, that of its newest generation."""
    best: dict[Interval, tuple[int, datetime, timedelta, Entry]] = {}
    for entry in covering:
        small, number = _made_of(entry, covering)
        # of several with the same points that which was made last, and the longest of these
        found = (number, entry.made_at, entry.window.duration, entry)
        if small not in best or found[:3] > best[small][:3]:
            best[small] = found
    left = [entry for *_, entry in best.values()]
    return tuple(sorted(left, key=lambda entry: (entry.made_at, entry.window), reverse=True))


def _made_of(entry: Entry, covering: list[Entry]) -> tuple[Interval, int]:
    """The smallest window here that an entry was made of, and its generation; itself, when it was not compacted."""
    named = [other.window for other in covering if other.window in entry.compacted]
    if not named:
        return entry.window, entry.generation
    small = min(named, key=lambda window: window.duration)
    return small, entry.compacted[small]
