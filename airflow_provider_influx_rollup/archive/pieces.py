"""Which generations stand for which part of an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

    A window that was compacted into a larger one counts only where it has changed since, and then instead of that.
    """
    clipped = [
        (entry, max(entry.window.start, interval.start), min(entry.window.stop, interval.stop))
        for entry in entries
        if entry.window.overlaps(interval)
    ]
    bounds = sorted({bound for _, start, stop in clipped for bound in (start, stop)})
    pieces: list[Piece] = []
    for start, stop in pairwise(bounds):
        covering = _standing([entry for entry, first, last in clipped if first <= start and stop <= last])
        if not covering:
            continue
        if pieces and pieces[-1].entries == covering and pieces[-1].interval.stop == start:
            pieces[-1] = Piece(Interval(pieces[-1].interval.start, stop), covering)
        else:
            pieces.append(Piece(Interval(start, stop), covering))
    return pieces


def _standing(covering: list[Entry]) -> tuple[Entry, ...]:
    """Those that count, the one made last first."""
    dropped = set()
    for large in covering:
        for small in covering:
            number = large.compacted.get(small.window)
            if number is not None:
                dropped.add(small.window if number == small.generation else large.window)
    left = [entry for entry in covering if entry.window not in dropped]
    return tuple(sorted(left, key=lambda entry: (entry.created_at, entry.window), reverse=True))
