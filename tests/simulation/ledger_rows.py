"""The rows that queries of a ledger find: one for each record, as a pivot gives them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.flux.ledger_history import CoveredWindows, WrittenSpecs
from airflow_provider_influx_rollup.flux.ledger_read import (
    ClaimsOf,
    ReceiptsOf,
    ReceiptsOfSeveral,
    ReceiptStates,
    SetAsideRecords,
    StoredSpecs,
    WritingReceipts,
)
from airflow_provider_influx_rollup.flux.purges import MarksBetween, MarksOfBucket, OverlappingMarks
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, from_ns
from tests.simulation.influx import SECOND, SimulatedInflux, nanoseconds

STATE_FIELDS = (
    *("state", "planned", "stop_ns", "spec_hash", "checksum", "written_at_ns"),
    *("claimed_by", "committed_by"),
)
COVERED_FIELDS = (
    *("state", "planned", "spec_hash", "merged_from", "stop_ns", "rows_in", "rows_out", "written_at_ns"),
    *("claimed_by", "committed_by"),
)
WRITING_FIELDS = ("state", "stop_ns", "written_at_ns", "run_id", "claimed_by", "committed_by")
FOREVER = (-(2**63), 2**63 - 1)

__all__ = ["Row", "ledger_rows", "records"]


def ledger_rows(influx: SimulatedInflux, query: Any) -> list[Row]:
    """The rows of a query's answer."""
    rows: list[Row] = READS[type(query)](influx, query)
    return rows


def records(
    influx: SimulatedInflux,
    bucket: str,
    measurement: str,
    span: tuple[int, int],
    tags: Mapping[str, Collection[str]] | None = None,
    fields: Collection[str] | None = None,
    *,
    is_wanted: Callable[[Row], bool] | None = None,
) -> list[Row]:
    """One row for each tag set and time, in order, with the fields that the record has.

    :param is_wanted: chooses rows as the server does, which knows what a row lacks
    """
    rows, tables = [], []
    for own, time, values in influx.bucket(bucket).pivoted(measurement):
        if not span[0] <= time < span[1]:
            continue
        have = dict(own)
        if tags and any(have.get(key) not in wanted for key, wanted in tags.items()):
            continue
        chosen = values if fields is None else {name: values[name] for name in fields if name in values}
        if chosen:
            rows.append(Row({"_time": from_ns(time), "_measurement": measurement, **have, **chosen}))
            tables.append(own)
    kept = [row for row in rows if is_wanted is None or is_wanted(row)]
    _add_empty_texts(rows, tables)
    return kept


def _add_empty_texts(rows: list[Row], tables: Sequence[Any]) -> None:
    """A text that a row lacks comes back empty when another row of its table has one.

    :param tables: the tags of each row
    """
    if len({len(row) for row in rows}) < 2:
        return
    texts: dict[Any, set[str]] = {}
    for row, table in zip(rows, tables, strict=True):
        texts.setdefault(table, set()).update(name for name, value in row.items() if isinstance(value, str))
    for row, table in zip(rows, tables, strict=True):
        for name in texts[table] - row.keys():
            row[name] = ""


def _span(interval: Interval) -> tuple[int, int]:
    return nanoseconds(interval.start), nanoseconds(interval.stop)


def _receipts(
    influx: SimulatedInflux,
    query: Any,
    fields: Collection[str] | None = None,
    is_wanted: Callable[[Row], bool] | None = None,
) -> list[Row]:
    pipelines = query.pipelines if isinstance(query, ReceiptsOfSeveral) else (query.pipeline,)
    tags = {"pipeline": pipelines, "stage": (query.stage,)}
    place = query.ledger_bucket, "window_receipt", _span(query.interval)
    return records(influx, *place, tags, fields, is_wanted=is_wanted)


def _writing(influx: SimulatedInflux, query: WritingReceipts) -> list[Row]:
    return _receipts(influx, query, WRITING_FIELDS, _is_writing)


def _is_writing(row: Row) -> bool:
    """Also what one run has committed after another one had claimed it."""
    claims = row.get("claimed_by"), row.get("committed_by")
    return row.get("state") == "WRITING" or (None not in claims and claims[0] != claims[1])


def _claims(influx: SimulatedInflux, query: ClaimsOf) -> list[Row]:
    return _receipts(influx, query, ("claimed_by", "generation", "rows_in"))


def _events(influx: SimulatedInflux, query: WrittenSpecs) -> list[Row]:
    tags = {"pipeline": query.pipelines, "stage": (query.stage,)}
    start, stop = _span(query.starts)
    names = "state", "spec_hash", "window_start_ns"
    found = records(influx, query.ledger_bucket, "window_event", FOREVER, tags, names)
    return [row for row in found if start <= row["window_start_ns"] < stop]


def _set_aside(influx: SimulatedInflux, query: SetAsideRecords) -> list[Row]:
    tags = None if query.pipeline is None else {"pipeline": (query.pipeline,)}
    found = records(influx, query.ledger_bucket, "ghost_survivors", _span(query.interval), tags)
    return [Row({"_time": row["_time"], "_value": row["record"], "claim": row.get("claim")}) for row in found]


def _specs(influx: SimulatedInflux, query: StoredSpecs) -> list[Row]:
    fields = ("spec", "last_used_ns", "last_commit_ns", "bucket_ids", "hashed_as")
    return [
        Row({"_field": name, "_value": row[name], "pipeline": row["pipeline"], "spec_hash": row["spec_hash"]})
        for row in records(influx, query.ledger_bucket, "pipeline_spec", (0, SECOND))
        for name in fields
        if row.get(name) is not None
    ]


def _marks(
    influx: SimulatedInflux, query: MarksBetween | OverlappingMarks, span: tuple[int, int]
) -> list[Row]:
    tags = None if query.measurement is None else {"measurement": (query.measurement,)}
    return records(influx, query.ledger_bucket, "purged_window", span, tags)


def _overlapping(influx: SimulatedInflux, query: OverlappingMarks) -> list[Row]:
    start, stop = _span(query.interval)
    rows = _marks(influx, query, (FOREVER[0], stop))
    return [Row({"_time": r["_time"], "_value": r["stop_ns"]}) for r in rows if r["stop_ns"] > start]


def _between(influx: SimulatedInflux, query: MarksBetween) -> list[Row]:
    return _marks(influx, query, (nanoseconds(query.first), nanoseconds(query.last + MICROSECOND)))


def _of_bucket(influx: SimulatedInflux, query: MarksOfBucket) -> list[Row]:
    return records(influx, query.ledger_bucket, "purged_window", FOREVER, {"bucket": (query.bucket,)})


READS: dict[type[Any], Any] = {
    ReceiptsOf: _receipts,
    ReceiptsOfSeveral: _receipts,
    ReceiptStates: lambda influx, query: _receipts(influx, query, STATE_FIELDS),
    CoveredWindows: lambda influx, query: _receipts(influx, query, COVERED_FIELDS),
    WritingReceipts: _writing,
    ClaimsOf: _claims,
    WrittenSpecs: _events,
    SetAsideRecords: _set_aside,
    StoredSpecs: _specs,
    OverlappingMarks: _overlapping,
    MarksBetween: _between,
    MarksOfBucket: _of_bucket,
}
