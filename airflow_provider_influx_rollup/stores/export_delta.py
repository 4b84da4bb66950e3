"""Archived points as a Delta table: its history says what it holds, a commit brings one generation in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    ConfigurationError,
    InfluxRollupError,
    StoreForbidden,
    StoreUnavailable,
)
from airflow_provider_influx_rollup.steps.table import NO_TABLE, NOTE, TableState
from airflow_provider_influx_rollup.stores.export_rows import export_batch, export_schema
from airflow_provider_influx_rollup.stores.point_layers import layered_batches
from airflow_provider_influx_rollup.stores.read_parts import FIX_DAMAGED, require_hash
from airflow_provider_influx_rollup.stores.store_errors import FIX_FORBIDDEN, FIX_FULL, FIX_NO_PLACE, FULL
from airflow_provider_influx_rollup.stores.table_options import table_options
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.steps.table import CommitPoints, ReadTable, TableAt
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

# the history is what says which points the table holds: it must outlive the log's usual month
CONFIGURATION = {"delta.logRetentionDuration": "interval 36500 days"}
#: two exports to a table conflict, whatever they write
APPLICATION = "influx-rollup"
NO_PLACE = "NoSuchBucket"
#: what stores answer in the library's words
FORBIDDEN = ("lacked the necessary privileges", "403 Forbidden", "401 Unauthorized", NO_PLACE)
#: what a system says, in the library's words
SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
FIX_TABLE = "export into a table of its own"


def act_read_table(store: ArchiveStore, _client: InfluxClient, step: ReadTable) -> TableState:
    """Act a ``ReadTable`` out."""
    with _delta_errors(step.table):
        table = _open(step.table, table_options(store, step.table.uri))
        if table is None:
            return TableState(NO_TABLE)
        version = int(table.version())
        history = _history(step.table, table, version)
        return TableState(version, tuple(json.loads(commit[NOTE]) for commit in history if NOTE in commit))


def act_commit_points(store: ArchiveStore, _client: InfluxClient, step: CommitPoints) -> int | None:
    """Act a ``CommitPoints`` out; points are streamed, and the commit is made only if all of them are right."""
    import pyarrow as pa
    from deltalake import CommitProperties, Transaction
    from deltalake.exceptions import CommitFailedError

    schema = export_schema(step.tags)
    rows = _Rows(store, step, schema)
    properties = CommitProperties(
        custom_metadata={NOTE: json.dumps(step.note)},
        app_transactions=[Transaction(APPLICATION, step.seen + 1)],
    )
    options = table_options(store, step.table.uri)
    with _delta_errors(step.table, rows):
        table = _at_version(step, schema, options)
        if table is None:
            return None
        for path, sha256 in step.files:
            require_hash(store, path, sha256)
        try:
            reader = pa.RecordBatchReader.from_batches(schema, iter(rows))
            _write(table, reader, step, properties)
        except CommitFailedError:
            # also said of a table that takes no such commit
            if _is_overtaken(step.table, table, options):
                return None
            raise
        return int(table.version())


def _is_overtaken(at: TableAt, table: DeltaTable, options: dict[str, str]) -> bool:
    """Whether somebody has committed to a table since it was opened."""
    newest = _open(at, options)
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


def _open(at: TableAt, options: dict[str, str]) -> DeltaTable | None:
    """The table; None when there is none.

    :param options: of the library
    :raises ConfigurationError: when it holds something else
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        table = DeltaTable(at.uri, storage_options=options)
    except TableNotFoundError:
        return None
    about = table.metadata().description
    if about != at.about:
        what = f"the table {at.uri} holds something else: {about!r}, not {at.about!r}"
        raise ConfigurationError(what, written="nothing", fix=FIX_TABLE)
    return table


def _at_version(step: CommitPoints, schema: pa.Schema, options: dict[str, str]) -> DeltaTable | None:
    """The table as its history was read, or a new one; None when another run has made it or committed since."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    newest = _open(step.table, options)
    if newest is not None:
        return newest if int(newest.version()) == step.seen else None
    try:
        made = DeltaTable.create(
            step.table.uri,
            schema,
            mode="error",
            description=step.table.about,
            configuration=CONFIGURATION,
            storage_options=options,
        )
    except DeltaError:
        if _open(step.table, options) is not None:
            return None
        raise
    # of two that make it at once both may have made it, and this one then has what the other has committed
    return None if any(NOTE in commit for commit in made.history()) else made


def _history(at: TableAt, table: DeltaTable, version: int) -> list[dict[str, Any]]:
    """The commits of a table up to a version, the oldest first.

    :raises ConfigurationError: when it is unknown what the table holds, as its first commits are gone or it was set back
    """
    # it has what others commit meanwhile too, and then calls the commits by wrong versions
    commits = [*reversed(table.history())]
    has_first = bool(commits) and str(commits[0].get("operation", "")).startswith("CREATE")
    if len(commits) <= version or not has_first:
        raise _unknown(at, f"begins at version {version + 1 - len(commits)}")
    for number, commit in enumerate(commits):
        if commit.get("operation") == "RESTORE":
            raise _unknown(at, f"was set back by version {number}")
    return commits[: version + 1]


def _unknown(at: TableAt, why: str) -> ConfigurationError:
    what = f"the history of the table {at.uri} {why}, so it is unknown what it holds"
    return ConfigurationError(what, written="nothing", fix="export into a new table")


def _predicate(interval: Interval) -> str:
    """The points of an interval: windows begin and end at whole microseconds."""
    return f"_time >= '{format_instant(interval.start)}' AND _time < '{format_instant(interval.stop)}'"


@contextmanager
def _delta_errors(at: TableAt, rows: _Rows | None = None) -> Iterator[None]:
    """Map the library's errors to this package's errors.

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
        raise ConfigurationError(what, fix=FIX_TABLE) from error
    except (DeltaError, OSError, ValueError) as error:
        if rows is not None and rows.error is not None:
            raise rows.error from error
        raise _of_store(at, str(error)) from error


def _of_store(at: TableAt, why: str) -> InfluxRollupError:
    """The error of ours; windows before this one may be in the table, which the verb knows."""
    what = f"the table {at.uri} cannot be read or written: {_told(why)}"
    if any(word in why for word in FORBIDDEN):
        fix = FIX_NO_PLACE if NO_PLACE in why else FIX_FORBIDDEN
        return StoreForbidden(what, fix=fix)
    has_room = not any(int(number) in FULL for number in SYSTEM_ERROR.findall(why))
    return StoreUnavailable(what, fix="look at the table and its rights" if has_room else FIX_FULL)


def _told(why: str) -> str:
    """The library's story in one line: it colours and indents its causes, and repeats a store's document."""
    plain = re.sub(r"\x1b\[[0-9;]*m|\u21b3|<\?xml.*", "", why, flags=re.DOTALL)
    return " ".join(plain.split())[:300]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
