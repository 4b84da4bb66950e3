"""Read an archive without a server: its newest generations, in an interval, of some tags and fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from airflow_provider_influx_rollup.archive.manifest import part_paths
from airflow_provider_influx_rollup.archive.paths import generation_folder, measurement_folder, window_folder
from airflow_provider_influx_rollup.archive.pieces import Piece, cut_pieces
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import ArchiveMissing, ConfigurationError
from airflow_provider_influx_rollup.lifecycle.archive_files.index import find_entries
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.point_layers import layered_batches
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.catalog import Entry
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.store import Layers
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSelection:
    """The points to read.

    :param interval: None: all times
    :param tags: texts to keep, by tag; ``""`` stands for absent
    :param fields: None: all
    """

    org: str
    bucket: str
    measurement: str
    interval: Interval | None = None
    tags: Mapping[str, Sequence[str]] | None = None
    fields: Sequence[str] | None = None

    @property
    def folder(self) -> str:
        """The measurement's folder in the store."""
        return measurement_folder(self.org, self.bucket, self.measurement)


def find_pieces(store: ArchiveStore, wanted: PointSelection) -> list[Piece]:
    """The generations of the archive that cover each part of the interval.

    :raises ArchiveMissing: when nothing of it was archived
    """
    # none of these steps asks a server
    no_client = cast("InfluxClient", None)
    steps = find_entries(wanted.folder, wanted.interval)
    entries = drive(steps, no_client, lambda _report: None, actions_with(store))
    pieces = (
        cut_pieces(entries, wanted.interval or Interval.spanning([entry.window for entry in entries]))
        if entries
        else []
    )
    if not pieces:
        what = f"{store.shown_path(wanted.folder)} has no archive" + (
            f" of {wanted.interval}" if wanted.interval else ""
        )
        fix = "correct the path, the names or the interval"
        raise ArchiveMissing(what, window=wanted.interval, written="nothing", fix=fix)
    return pieces


def list_files(store: ArchiveStore, wanted: PointSelection) -> list[str]:
    """The Parquet files of the newest generations, as paths or URLs.

    :raises ArchiveMissing: when nothing of the interval was archived
    :raises ConfigurationError: when windows overlap, so that files hold points that others replace
    """
    found: dict[str, None] = {}
    pieces = find_pieces(store, wanted)
    for piece in pieces:
        if len(piece.entries) > 1:
            what = f"{len(piece.entries)} archived windows overlap at {piece.interval}"
            raise ConfigurationError(what, fix="read_archive takes each point once")
        _require_alone(piece, pieces)
        for path in _paths(wanted, piece)[0]:
            found.setdefault(store.shown_path(path))
    return list(found)


def _require_alone(piece: Piece, pieces: Sequence[Piece]) -> None:
    """The files of a generation must not hold points of another piece, which newer ones replace there."""
    entry = piece.entries[0]
    if not entry.compacted:
        return
    for other in pieces:
        if other.entries != piece.entries and any(held.overlaps(other.interval) for held in entry.covered):
            what = f"{other.interval} was archived again since it was compacted into {entry.window}"
            fix = "compact again; or use read_archive, which takes each point once"
            raise ConfigurationError(what, fix=fix)


def read_table(store: ArchiveStore, wanted: PointSelection, *, wide: bool) -> pa.Table:
    """The points as one table.

    :param wide: one column for each field
    """
    from airflow_provider_influx_rollup.archive.value_kinds import ARROW_TYPES
    from airflow_provider_influx_rollup.archive.wide_table import widen

    pieces = find_pieces(store, wanted)
    while True:
        tags = sorted({tag for piece in pieces for entry in piece.entries for tag in entry.tags})
        by_kind: dict[str, list[pa.Table]] = {}
        try:
            for kind, table in _tables(store, wanted, pieces, tags):
                by_kind.setdefault(kind, []).append(table)
            break
        except ArchiveMissing:
            # a compaction may have removed files meanwhile, whose points are in larger ones
            before, pieces = pieces, find_pieces(store, wanted)
            if pieces == before:
                raise
    tables = [_joined(by_kind[kind]) for kind in ARROW_TYPES if kind in by_kind]
    if not tables:
        tables = [_nothing(tags)]
    return widen(tables, tags) if wide else _tall(tables)


def _tables(
    store: ArchiveStore, wanted: PointSelection, pieces: Sequence[Piece], tags: Sequence[str]
) -> Iterator[tuple[str, pa.Table]]:
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.value_kinds import file_table, kind_of

    for piece in pieces:
        for batch in layered_batches(store, _paths(wanted, piece), piece.interval):
            table = _chosen(pa.Table.from_batches([batch]), wanted)
            if table.num_rows:
                yield kind_of(table.schema.field("_value").type), file_table(table, tags)


def _chosen(table: pa.Table, wanted: PointSelection) -> pa.Table:
    """Points with one of the wanted texts in each of the wanted tags."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filters = dict(wanted.tags or {})
    if wanted.fields is not None:
        filters["_field"] = wanted.fields
    for name, texts in filters.items():
        if name not in table.column_names:
            if "" not in texts:
                return table.slice(0, 0)
            continue
        found = pc.fill_null(table[name].cast(pa.string()), "")
        table = table.filter(pc.is_in(found, pa.array(list(texts), pa.string())))
    return table


def _paths(wanted: PointSelection, piece: Piece) -> Layers:
    def reaching(entry: Entry) -> tuple[str, ...]:
        folder = generation_folder(window_folder(wanted.folder, entry.window), entry.generation)
        return part_paths(folder, (part for part in entry.parts if part.reaches(piece.interval)))

    return tuple(reaching(entry) for entry in piece.entries)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _tall(tables: Sequence[pa.Table]) -> pa.Table:
    """One row for each point; values of several types are in a column for each, with null in the others."""
    import pyarrow as pa

    from airflow_provider_influx_rollup.archive.value_kinds import kind_of

    if len(tables) == 1:
        return tables[0]
    renamed = []
    for table in tables:
        kind = kind_of(table.schema.field("_value").type)
        renamed.append(table.rename_columns([*table.column_names[:-1], f"_value_{kind}"]))
    return pa.concat_tables(renamed, promote_options="default").unify_dictionaries()


def _nothing(tags: Sequence[str]) -> pa.Table:
    from airflow_provider_influx_rollup.archive.value_kinds import file_schema

    return file_schema("float", tags).empty_table()
