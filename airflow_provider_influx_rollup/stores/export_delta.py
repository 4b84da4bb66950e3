"""Archived points as a Delta table: its history says what it holds, a commit brings one generation in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    ConfigurationError,
    InfluxRollupError,
    StoreUnavailable,
)
from airflow_provider_influx_rollup.lifecycle.export_steps import NO_TABLE, NOTE, TableState
from airflow_provider_influx_rollup.stores.export_rows import export_batch, export_schema
from airflow_provider_influx_rollup.stores.point_layers import layered_batches
from airflow_provider_influx_rollup.stores.read_parts import FIX_DAMAGED, require_hash
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.lifecycle.export_steps import CommitPoints, ReadTable, TableAt
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

# the history is what says which points the table holds: it must outlive the log's usual month
CONFIGURATION = {"delta.logRetentionDuration": "interval 36500 days"}
#: two exports to a table conflict, whatever they write
APPLICATION = "influx-rollup"
FIX_TABLE = "export into a table of its own"


def act_read_table(_store: ArchiveStore, _client: InfluxClient, step: ReadTable) -> TableState:
    """Act a ``ReadTable`` out."""
    with _delta_errors(step.table):
        table = _open(step.table)
        if table is None:
            return TableState(NO_TABLE)
        history = sorted(table.history(), key=lambda commit: int(commit["version"]))
        _require_whole(step.table, history)
        notes = tuple(json.loads(commit[NOTE]) for commit in history if NOTE in commit)
        return TableState(int(table.version()), notes)


def act_commit_points(store: ArchiveStore, _client: InfluxClient, step: CommitPoints) -> int | None:
    """Act a ``CommitPoints`` out; points are streamed, and the commit is made only if all of them are right."""
    import pyarrow as pa
    from deltalake import CommitProperties, Transaction
    from deltalake.exceptions import CommitFailedError

    for path, sha256 in step.files:
        require_hash(store, path, sha256)
    schema = export_schema(step.tags)
    rows = _Rows(store, step, schema)
    properties = CommitProperties(
        custom_metadata={NOTE: json.dumps(step.note)},
        app_transactions=[Transaction(APPLICATION, step.seen + 1)],
    )
    with _delta_errors(step.table, rows):
        table = _at_version(step, schema)
        if table is None:
            return None
        try:
            reader = pa.RecordBatchReader.from_batches(schema, iter(rows))
            _write(table, reader, step, properties)
        except CommitFailedError:
            # also said of a table that takes no such commit
            if _is_overtaken(step.table, table):
                return None
            raise
        return int(table.version())


def _is_overtaken(at: TableAt, table: DeltaTable) -> bool:
    """Whether somebody has committed to a table since it was opened."""
    newest = _open(at)
    return newest is None or int(newest.version()) != int(table.version())


def _write(
    table: DeltaTable, rows: pa.RecordBatchReader, step: CommitPoints, properties: CommitProperties
) -> None:
    from deltalake import write_deltalake

    if not step.replaces:
        write_deltalake(table, rows, mode="append", schema_mode="merge", commit_properties=properties)
        return
    write_deltalake(
        table,
        rows,
        mode="overwrite",
        predicate=_predicate(step.interval),
        schema_mode="merge",
        commit_properties=properties,
    )


class _Rows:
    """The points of a commit, some at a time; fails at their end when they are not what they must be.

    :ivar error: why they ended, as what reads them tells another story
    """

    def __init__(self, store: ArchiveStore, step: CommitPoints, schema: pa.Schema) -> None:
        self._store, self._step, self._schema = store, step, schema
        self.error: InfluxRollupError | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches()
        except InfluxRollupError as error:
            self.error = error
            raise

    def _batches(self) -> Iterator[pa.RecordBatch]:
        from airflow_provider_influx_rollup.archive.row_totals import Tally

        step = self._step
        tally = Tally()
        paths = tuple(path for path, _ in step.files)
        for batch in layered_batches(self._store, (paths,), step.interval):
            tally.take(batch)
            yield export_batch(batch, self._schema)
        found = tally.fingerprint().total
        if found != step.expected:
            what = f"the files of {step.interval} hold {found.rows:,} points, which are not the {step.expected.rows:,} of the manifest"
            raise ArchiveMismatch(what, window=step.interval, written="nothing of it", fix=FIX_DAMAGED)


def _open(at: TableAt) -> DeltaTable | None:
    """The table; None when there is none.

    :raises ConfigurationError: when it holds something else
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        table = DeltaTable(at.uri)
    except TableNotFoundError:
        return None
    about = table.metadata().description
    if about != at.about:
        what = f"the table {at.uri} holds something else: {about!r}, not {at.about!r}"
        raise ConfigurationError(what, written="nothing", fix=FIX_TABLE)
    return table


def _at_version(step: CommitPoints, schema: pa.Schema) -> DeltaTable | None:
    """The table as its history was read, or a new one; None when another run made it meanwhile."""
    from deltalake import DeltaTable

    if step.seen != NO_TABLE:
        return DeltaTable(step.table.uri, version=step.seen)
    if _open(step.table) is not None:
        return None
    return DeltaTable.create(
        step.table.uri, schema, mode="error", description=step.table.about, configuration=CONFIGURATION
    )


def _require_whole(at: TableAt, history: list[dict[str, Any]]) -> None:
    """Nothing is known of a table whose first commits are gone, or that was set back."""
    first = int(history[0]["version"]) if history else 0
    set_back = [commit["version"] for commit in history if commit.get("operation") == "RESTORE"]
    if first or set_back:
        why = f"begins at version {first}" if first else f"was set back by version {set_back[-1]}"
        what = f"the history of the table {at.uri} {why}, so nobody knows what it holds"
        raise ConfigurationError(what, written="nothing", fix="export into a new table")


def _predicate(interval: Interval) -> str:
    """The points of an interval: windows begin and end at whole microseconds."""
    return f"_time >= '{format_instant(interval.start)}' AND _time < '{format_instant(interval.stop)}'"


@contextmanager
def _delta_errors(at: TableAt, rows: _Rows | None = None) -> Iterator[None]:
    """What the library says becomes an error of ours.

    :param rows: whose error counts before that of the library which read them
    """
    try:
        from deltalake.exceptions import DeltaError, SchemaMismatchError
    except ImportError as error:
        what = f"the table {at.uri} cannot be opened: {error}"
        fix = "install airflow-provider-influx-rollup[delta]"
        raise ConfigurationError(what, written="nothing", fix=fix) from error
    try:
        yield
    except InfluxRollupError:
        raise
    except SchemaMismatchError as error:
        what = f"the table {at.uri} has other columns: {_first_line(error)}"
        raise ConfigurationError(what, written="nothing", fix=FIX_TABLE) from error
    except (DeltaError, OSError, ValueError) as error:
        if rows is not None and rows.error is not None:
            raise rows.error from error
        what = f"the table {at.uri} cannot be read or written: {_first_line(error)}"
        raise StoreUnavailable(what, written="nothing", fix="look at the table and its rights") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
