"""Export archived points into a lakehouse table: one commit for each generation, which says what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_provider_influx_rollup.archive.catalog import Entry
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, Total
from airflow_provider_influx_rollup.archive.pieces import Piece, cut_pieces
from airflow_provider_influx_rollup.exceptions import ArchiveMissing, ConfigurationError, SourceChanging
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import require_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.index import find_entries, has_windows
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import PointsPlace, find_held
from airflow_provider_influx_rollup.lifecycle.archive_files.place import earlier_names
from airflow_provider_influx_rollup.lifecycle.export.holdings import Holdings, holdings, sum_of
from airflow_provider_influx_rollup.lifecycle.export.spec import ExportResult, ExportSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.held_window import HeldWindow
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import unless_told
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.current_window import within
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import FingerprintPoints
from airflow_provider_influx_rollup.steps.table import CommitPoints, ReadTable, TableState
from airflow_provider_influx_rollup.windows.interval import Interval

# whoever is overtaken was so by a commit: of many at once, as in a backfill, each comes to its turn
TRIES = 200


@dataclass(kw_only=True)
class _ExportRun:
    """A run of an export, and what it has done.

    :ivar version: of the table
    :ivar held: what the table holds
    :ivar small: what was archived in the small windows of a large one
    :ivar parts: what the table holds of each part of the archive that the run was about
    """

    spec: ExportSpec
    run: RunInfo
    dry_run: bool
    version: int = -1
    commits: int = 0
    rows: int = 0
    replaced: int = 0
    unchanged: int = 0
    held: Holdings = field(default_factory=Holdings)
    small: dict[Interval, dict[Interval, Total]] = field(default_factory=dict)
    parts: list[HeldWindow] = field(default_factory=list)

    def look(self) -> Steps[None]:
        """Read what the table holds."""
        state: TableState = yield from ask(ReadTable(self.spec.table_at))
        self.version, self.held = state.version, holdings(state.notes)

    def export_piece(self, piece: Piece) -> Steps[None]:
        """Commit a piece, unless the table holds it as it is."""
        entry = piece.entries[0]
        published = yield from require_generation(self.spec.folder, entry.window, entry.generation)
        held = yield from find_held(published)
        parts = yield from self._parts(entry, piece, held)
        wanted = sum_of(list(parts.values()))
        self.parts.append(
            HeldWindow(
                window=piece.interval,
                rows_out=wanted.rows,
                checksum=wanted.hash,
                generation=entry.generation,
            )
        )
        for _ in range(TRIES):
            if self.held.known(piece.interval) == wanted:
                self.unchanged += 1
                return
            # whatever may be there goes, also what no total counts
            replaces = self.held.has(piece.interval)
            if self.dry_run:
                version: int | None = self.version
            else:
                version = yield from ask(self._commit(piece, held, parts, replaces=replaces))
            if version is not None:
                self._count(piece, parts, version, replaces=replaces)
                yield from ask(Report(self._told(piece, wanted, replaces=replaces)))
                return
            yield from ask(Report(f"{piece.interval}: another export committed meanwhile, looking again"))
            yield from self.look()
        what = f"other exports kept committing to {self.spec.table}"
        raise SourceChanging(
            what, window=piece.interval, written=f"{self.commits} commits", fix="run it again later"
        )

    def _count(self, piece: Piece, parts: Mapping[Interval, Total], version: int, *, replaces: bool) -> None:
        self.version = version
        self.commits += 1
        self.rows += sum(total.rows for total in parts.values())
        self.replaced += replaces
        self.held = self.held.after(piece.interval, parts, replaces=replaces)

    def _commit(
        self, piece: Piece, held: PointsPlace, parts: Mapping[Interval, Total], *, replaces: bool
    ) -> CommitPoints:
        published = held.published
        note: dict[str, Any] = {
            "interval": piece.interval.as_json(),
            "window": published.manifest.window.as_json(),
            "generation": published.manifest.generation,
            "manifest_sha256": published.sha256,
            "run": asdict(self.run),
            "replaces": replaces,
            "parts": [
                {**window.as_json(), "rows": total.rows, "hash": total.hash}
                for window, total in parts.items()
            ],
        }
        return CommitPoints(
            table=self.spec.table_at,
            seen=self.version,
            files=held.files_of(piece.interval),
            interval=piece.interval,
            tags=held.holder.manifest.tags,
            replaces=replaces,
            expected=sum_of(list(parts.values())),
            note=note,
        )

    def _parts(self, entry: Entry, piece: Piece, held: PointsPlace) -> Steps[dict[Interval, Total]]:
        """Points of a piece by the small windows that it was made of, so that one of them can be replaced later."""
        content = held.published.manifest.content.total
        if entry.window not in self.small:
            self.small[entry.window] = yield from _small_totals(self.spec, entry, content)
        small = self.small[entry.window]
        overlapped = [window for window in small if window.overlaps(piece.interval)]
        is_cut = any(not piece.interval.covers(window) for window in overlapped)
        if sum_of(list(small.values())) == content and not is_cut:
            return {window: small[window] for window in overlapped}
        # points were taken out of the large window since, or the piece has a part of a small one
        paths = tuple(path for path, _ in held.files_of(piece.interval))
        found: Fingerprint = yield from ask(FingerprintPoints(paths, piece.interval))
        return {piece.interval: found.total}

    def _told(self, piece: Piece, wanted: Total, *, replaces: bool) -> str:
        entry = piece.entries[0]
        verb = "would be " if self.dry_run else ""
        how = "replaced" if replaces else "appended"
        return f"{piece.interval}: {wanted.rows:,} points of {entry.window}, generation {entry.generation}, {verb}{how}"


def export(
    spec: ExportSpec, interval: Interval, run: RunInfo, now: Clock, *, dry_run: bool = False
) -> Steps[ExportResult]:
    """Bring all archived windows that overlap an interval into the table, unless it holds them as they are.

    :param interval: any; windows count as a whole
    :param run: who runs it
    :param now: the clock, aware UTC
    :param dry_run: tell what would be committed; write nothing
    :raises ArchiveMissing: when nothing of the interval was archived
    :raises ArchiveMismatch: when a file is not what its manifest says; nothing of it was committed
    :raises ConfigurationError: when archived windows overlap, or the table holds something else
    :raises SourceChanging: when other exports keep committing
    """
    began = now()
    if not (yield from has_windows(spec.folder)):
        spec = replace(spec, kept_as=(yield from earlier_names(spec.bucket, spec.ledger_bucket)))
    going = _ExportRun(spec=spec, run=run, dry_run=dry_run)
    pieces = yield from _pieces(spec, interval)
    yield from going.look()
    for piece in pieces:
        yield from ask(Progressed(message="windows in the table", done=len(going.parts), total=len(pieces)))
        with unless_told("nothing" if dry_run else "maybe this window; those before it are in the table"):
            yield from within(piece.interval, going.export_piece(piece))
    seconds = (now() - began).total_seconds()
    return ExportResult(
        spec=spec,
        interval=interval,
        commits=going.commits,
        rows=going.rows,
        replaced=going.replaced,
        unchanged=going.unchanged,
        version=going.version,
        dry_run=dry_run,
        seconds=seconds,
        held=going.parts,
    )


def _pieces(spec: ExportSpec, interval: Interval) -> Steps[list[Piece]]:
    """The archived windows that overlap an interval, whole, as readers take them."""
    entries = yield from find_entries(spec.folder, interval)
    if not entries:
        what = f"{spec.shown_path}/{spec.folder} has no archive of {interval}"
        fix = "archive it first, or correct the interval"
        raise ArchiveMissing(what, window=interval, written="nothing", fix=fix)
    whole = Interval.spanning([entry.window for entry in entries])
    found = cut_pieces((yield from find_entries(spec.folder, whole)), whole)
    pieces = [piece for piece in found if piece.interval.overlaps(interval)]
    for piece in pieces:
        if len(piece.entries) > 1:
            what = f"archived windows overlap at {piece.interval}"
            fix = "export intervals that were archived in windows of one length"
            raise ConfigurationError(what, window=piece.interval, written="nothing", fix=fix)
    return pieces


def _small_totals(spec: ExportSpec, entry: Entry, content: Total) -> Steps[dict[Interval, Total]]:
    """Points archived in the smallest windows that a generation was made of."""
    if not entry.compacted:
        return {entry.window: content}
    found: dict[Interval, Total] = {}
    for window, number in sorted(entry.compacted.items()):
        if not any(window != other and window.covers(other) for other in entry.compacted):
            small = yield from require_generation(spec.folder, window, number)
            found[window] = small.manifest.content.total
    return found
