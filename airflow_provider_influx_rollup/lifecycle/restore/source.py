"""The archived points of an interval: found, and proven whole, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.manifest import Part, part_paths
from airflow_provider_influx_rollup.archive.pieces import cut_pieces
from airflow_provider_influx_rollup.exceptions import ArchiveMissing, SourceChanging
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import (
    Published,
    require_generation,
    verify_files,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.index import find_entries, has_windows
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import Layers
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class RestoreSource:
    """A part of the interval, and the generations that hold its points.

    :param layers: the one made last comes first, and its points win
    """

    interval: Interval
    layers: tuple[Published, ...]

    @property
    def generation(self) -> int:
        """Generation of the layer that wins."""
        return self.layers[0].manifest.generation

    @property
    def may_have_doubled(self) -> bool:
        """Whether a series may have several points of one time: with fewer than two tags there is one order of them."""
        return any(len(layer.manifest.tags) > 1 for layer in self.layers)

    @property
    def whole_windows(self) -> list[Interval]:
        """Windows of which it is exactly what their newest generation holds; also those that were compacted."""
        if len(self.layers) > 1:
            return []
        manifest = self.layers[0].manifest
        windows = [manifest.window, *sorted(compacted_of(manifest))]
        return [window for window in windows if self.interval.covers(window)]

    def parts(self, interval: Interval) -> list[Part]:
        """The files that may have points in an interval."""
        return [part for layer in self.layers for part in layer.manifest.parts if part.reaches(interval)]

    def paths(self, interval: Interval) -> Layers:
        """The files that may have points in an interval, by layer."""
        layers = tuple(
            part_paths(layer.folder, (part for part in layer.manifest.parts if part.reaches(interval)))
            for layer in self.layers
        )
        return tuple(paths for paths in layers if paths)


def find_sources(spec: RestoreSpec, interval: Interval) -> Steps[tuple[list[RestoreSource], list[Interval]]]:
    """The archived points of an interval, and the parts of it that have no archive.

    :raises ArchiveMissing: when there is no archive of some part, unless that is allowed, or none of any time
    """
    entries = yield from find_entries(spec.folder, interval)
    if not entries and not (yield from has_windows(spec.folder)):
        what = f"{spec.shown_path}/{spec.folder} has no archive at all"
        fix = "correct the path, the bucket or the measurement"
        raise ArchiveMissing(what, window=interval, written="nothing", fix=fix)
    pieces = cut_pieces(entries, interval)
    gaps = subtract([interval], [piece.interval for piece in pieces])
    if gaps:
        named = few([str(gap) for gap in gaps], MAX_NAMED, between=", ")
        what = f"{spec.shown_path}/{spec.folder} has no archive of {named}"
        if not spec.allow_missing:
            fix = "correct the path or the interval, or set allow_missing=True to restore what there is"
            raise ArchiveMissing(what, window=gaps[0], written="nothing", fix=fix)
        yield from ask(Report(what, "warning"))
    published: dict[Interval, Published] = {}
    for piece in pieces:
        for entry in piece.entries:
            if entry.window not in published:
                published[entry.window] = yield from require_generation(
                    spec.folder, entry.window, entry.generation
                )
    sources = [
        RestoreSource(piece.interval, tuple(published[entry.window] for entry in piece.entries))
        for piece in pieces
    ]
    return sources, gaps


def require_newest(spec: RestoreSpec, interval: Interval, sources: Sequence[RestoreSource]) -> Steps[None]:
    """Refuse to restore generations that are no longer the newest.

    :raises SourceChanging: when windows were archived, compacted or erased in part since they were found
    """
    latest, _ = yield from find_sources(spec, interval)
    if _folders(latest) != _folders(sources):
        what = "windows were archived again, compacted or erased in part while they were about to be restored"
        raise SourceChanging(what, window=interval, written="nothing", fix="run it again")


def _folders(sources: Iterable[RestoreSource]) -> list[tuple[Interval, tuple[str, ...]]]:
    return [(source.interval, tuple(layer.folder for layer in source.layers)) for source in sources]


def verify_sources(sources: Sequence[RestoreSource]) -> Steps[None]:
    """Read all files back.

    :raises ArchiveMismatch: when a file is not what its manifest says
    """
    for published in _distinct(sources):
        yield from verify_files(published)


def _distinct(sources: Iterable[RestoreSource]) -> Iterable[Published]:
    return {layer.folder: layer for source in sources for layer in source.layers}.values()
