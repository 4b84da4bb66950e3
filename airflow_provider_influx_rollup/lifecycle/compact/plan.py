"""Plan a large window: the newest generations inside it, each point once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.catalog import Entry, compacted_of
from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.archive.pieces import Piece, cut_pieces
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import (
    Published,
    newest_generation,
    read_generation,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.index import find_entries
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class CompactPlan:
    """Parts of the next generation of a large window.

    :param newest: its newest generation
    :param pieces: in order; each of one generation, which may be the newest one of the large window itself
    """

    window: Interval
    newest: Published | None
    pieces: tuple[Piece, ...]

    @property
    def is_unchanged(self) -> bool:
        """Whether the newest generation stands for all of them already."""
        return self.newest is not None and all(
            piece.entries[0].window == self.window for piece in self.pieces
        )

    @property
    def compacted(self) -> dict[Interval, int]:
        """The windows, with their generations, that the next generation stands for."""
        found: dict[Interval, int] = {}
        for piece in self.pieces:
            entry = piece.entries[0]
            own = {} if entry.window == self.window else {entry.window: entry.generation}
            for window, number in {**entry.compacted, **own}.items():
                if window.overlaps(piece.interval):
                    found[window] = max(number, found.get(window, 0))
        return found


def plan_window(spec: CompactSpec, window: Interval, *, trusts_newest: bool = True) -> Steps[CompactPlan]:
    """Find what a large window is made of.

    :param trusts_newest: whether what its newest generation holds may be taken from there
    :raises ConfigurationError: when archived windows inside it overlap, or it has an archive of its own
    """
    newest = yield from newest_generation(window_folder(spec.folder, window))
    if newest is not None and not compacted_of(newest.manifest):
        what = "the window has an archive of its own, which was not compacted from smaller ones"
        fix = "compact into windows of another length"
        raise ConfigurationError(what, window=window, written="nothing", fix=fix)
    found = yield from find_entries(spec.folder, window)
    # larger ones that were compacted from these stand for nothing else
    entries = [entry for entry in found if not entry.window.covers(window) or not entry.compacted]
    if newest is not None and trusts_newest:
        entries.append(Entry.of(newest.manifest))
    pieces = cut_pieces(entries, window)
    for piece in pieces:
        _require_one(piece, window)
    inside = [piece for piece in pieces if window.covers(piece.entries[0].window)]
    if len(inside) < len(pieces):
        outside = next(piece for piece in pieces if piece not in inside).entries[0].window
        yield from ask(Report(f"Window {window}: {outside} sticks out of it and is left as it is", "warning"))
    return CompactPlan(window, newest, tuple(inside))


def planned_rows(spec: CompactSpec, plan: CompactPlan) -> Steps[int]:
    """Points of the next generation, by manifests."""
    entries = {piece.entries[0].window: piece.entries[0] for piece in plan.pieces}
    if plan.is_unchanged or not any(entry.compacted for entry in entries.values()):
        return sum(entry.rows for entry in entries.values())
    # a part of a larger window has changed since: its smallest windows tell
    rows = 0
    for window, number in plan.compacted.items():
        if not any(window != other and window.covers(other) for other in plan.compacted):
            small = yield from read_generation(window_folder(spec.folder, window), number)
            rows += small.manifest.content.total.rows if small is not None else 0
    return rows


def _require_one(piece: Piece, window: Interval) -> None:
    if len(piece.entries) > 1:
        named = " and ".join(str(one) for one in _windows(piece.entries))
        what = f"archived windows overlap at {piece.interval}: {named}"
        fix = "archive each time in windows of one length only, or compact where they do not overlap"
        raise ConfigurationError(what, window=window, written="nothing", fix=fix)


def _windows(entries: Sequence[Entry]) -> list[Interval]:
    return sorted(entry.window for entry in entries)
