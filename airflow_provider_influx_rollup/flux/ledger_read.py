"""Queries of receipts, and of what a ledger keeps beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.ledger_rows import (
    FIXED,
    IS_WRITING,
    UNBOUNDED,
    chain,
    is_any,
    is_of,
    pivoted,
    records_of,
)
from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.archive_folders import (
    FOLDER_MEASUREMENT,
    ArchiveFolder,
    decode_folders,
)
from airflow_provider_influx_rollup.ledger.codec import (
    CLAIM_FIELDS,
    CLAIMED_BY,
    RECEIPT_MEASUREMENT,
    SPEC_MEASUREMENT,
    SpecRecord,
    decode_receipts,
    state_of,
)
from airflow_provider_influx_rollup.ledger.looks import LOOK_MEASUREMENT, SourceLook, decode_look
from airflow_provider_influx_rollup.ledger.planned import PLAN, with_plan
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, from_ns

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

SET_ASIDE_MEASUREMENT = "ghost_survivors"


@dataclass(frozen=True, slots=True)
class ReceiptsOf(LedgerQuery[list[Receipt]]):
    """Receipts of a pipeline whose windows start in an interval, by window."""

    ledger_bucket: str
    pipeline: str
    stage: str
    interval: Interval
    result = "receipts"

    def flux(self) -> str:
        mine = is_of(self.pipeline, self.stage)
        return pivoted(self.ledger_bucket, self.interval, RECEIPT_MEASUREMENT, mine)

    def read(self, rows: Sequence[Row]) -> list[Receipt]:
        return decode_receipts(rows)


@dataclass(frozen=True, slots=True)
class ReceiptsOfSeveral(LedgerQuery[list[Receipt]]):
    """Receipts of some pipelines whose windows start in an interval, by window."""

    ledger_bucket: str
    pipelines: Sequence[str]
    stage: str
    interval: Interval

    def flux(self) -> str:
        chosen = is_any("stage", [self.stage]), is_any("pipeline", self.pipelines)
        return pivoted(self.ledger_bucket, self.interval, RECEIPT_MEASUREMENT, *chosen)

    def read(self, rows: Sequence[Row]) -> list[Receipt]:
        return decode_receipts(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptState:
    """State of a window, and no more of its receipt.

    :param run_id: of the run that wrote it; empty where it was not asked for, likewise ``spec_hash`` and ``checksum``
    """

    window: Interval
    state: State
    written_at_ns: int
    spec_hash: str = ""
    run_id: str = ""
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptStates(LedgerQuery[list[ReceiptState]]):
    """State, stop, spec, checksum and time of each receipt of windows that start in an interval, and no more than that."""

    ledger_bucket: str
    pipeline: str
    stage: str
    interval: Interval

    def flux(self) -> str:
        names = ("state", PLAN, "stop_ns", "spec_hash", "checksum", "written_at_ns", *CLAIM_FIELDS)
        return _fields_of(self, names)

    def read(self, rows: Sequence[Row]) -> list[ReceiptState]:
        return _states(rows)


@dataclass(frozen=True, slots=True)
class WritingReceipts(LedgerQuery[list[ReceiptState]]):
    """Receipts of windows that start in an interval and are being written, most often none: when, until when, by whom."""

    ledger_bucket: str
    pipeline: str
    stage: str
    interval: Interval

    def flux(self) -> str:
        names = ("state", "stop_ns", "written_at_ns", "run_id", *CLAIM_FIELDS)
        return chain(_fields_of(self, names), IS_WRITING)

    def read(self, rows: Sequence[Row]) -> list[ReceiptState]:
        return _states(rows)


@dataclass(frozen=True, slots=True)
class ClaimedWindow:
    """Who claimed a window last, and the numbers of its last commit.

    :param claim_id: empty when nobody has claimed it
    """

    claim_id: str
    generation: int = 0
    rows_in: int = 0


@dataclass(frozen=True, slots=True)
class ClaimsOf(LedgerQuery[dict[datetime, ClaimedWindow]]):
    """The latest claim and the last commit of each window that starts in an interval, by start."""

    ledger_bucket: str
    pipeline: str
    stage: str
    interval: Interval
    result = "claims"

    def flux(self) -> str:
        return _fields_of(self, (CLAIMED_BY, "generation", "rows_in"))

    def read(self, rows: Sequence[Row]) -> dict[datetime, ClaimedWindow]:
        return {
            row["_time"]: ClaimedWindow(
                row.get(CLAIMED_BY) or "", row.get("generation") or 0, row.get("rows_in") or 0
            )
            for row in rows
        }


def _fields_of(query: ReceiptStates | WritingReceipts | ClaimsOf, names: Sequence[str]) -> str:
    """Some fields of each receipt, one row per window."""
    chosen = is_of(query.pipeline, query.stage), is_any("_field", names)
    return pivoted(query.ledger_bucket, query.interval, RECEIPT_MEASUREMENT, *chosen)


def _states(rows: Iterable[Row]) -> list[ReceiptState]:
    return [
        ReceiptState(
            window=Interval(row["_time"], from_ns(row["stop_ns"])),
            state=state_of(row),
            written_at_ns=row["written_at_ns"],
            spec_hash=row.get("spec_hash") or "",
            run_id=row.get("run_id") or "",
            checksum=row.get("checksum") or "",
        )
        for row in map(with_plan, rows)
    ]


@dataclass(frozen=True, slots=True)
class SetAside:
    """Values that a run set aside before a delete.

    :param claim_id: of the run; empty in records of earlier versions
    :param text: the values as JSON
    """

    claim_id: str
    text: str


@dataclass(frozen=True, slots=True)
class SetAsideRecords(LedgerQuery[list[SetAside]]):
    """The values that a pipeline set aside before deletes, for windows that start in an interval.

    :param pipeline: None: all pipelines
    """

    ledger_bucket: str
    pipeline: str | None
    interval: Interval
    result = "aside"

    def flux(self) -> str:
        chosen = [] if self.pipeline is None else [is_any("pipeline", [self.pipeline])]
        return chain(
            *records_of(self.ledger_bucket, self.interval, SET_ASIDE_MEASUREMENT, *chosen), UNBOUNDED
        )

    def read(self, rows: Sequence[Row]) -> list[SetAside]:
        return [SetAside(row.get("claim") or "", row["_value"]) for row in rows]


@dataclass(frozen=True, slots=True)
class StoredSpecs(LedgerQuery[list[SpecRecord]]):
    """Every pipeline spec of a ledger, one for each pipeline and hash."""

    ledger_bucket: str
    result = "specs"

    def flux(self) -> str:
        # each run reads those of all pipelines: a pivot takes the server almost three times as long
        return chain(
            *records_of(self.ledger_bucket, FIXED, SPEC_MEASUREMENT),
            '|> group(columns: ["_field"])',
            '|> keep(columns: ["_field", "_value", "pipeline", "spec_hash"])',
        )

    def read(self, rows: Sequence[Row]) -> list[SpecRecord]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in rows:
            key = row["pipeline"], row["spec_hash"]
            record = found.setdefault(key, {"pipeline": key[0], "spec_hash": key[1]})
            record[row["_field"]] = row["_value"]
        return [SpecRecord.of(found[key]) for key in sorted(found)]


@dataclass(frozen=True, slots=True)
class ArchiveFolders(LedgerQuery[list[ArchiveFolder]]):
    """The folders of all archives, one for each bucket."""

    ledger_bucket: str

    def flux(self) -> str:
        return pivoted(self.ledger_bucket, FIXED, FOLDER_MEASUREMENT)

    def read(self, rows: Sequence[Row]) -> list[ArchiveFolder]:
        return decode_folders(rows)


@dataclass(frozen=True, slots=True)
class LastLook(LedgerQuery[SourceLook | None]):
    """The record of the last looks at an interval of a watch."""

    ledger_bucket: str
    watch: str
    interval: Interval

    def flux(self) -> str:
        instant = Interval(self.interval.start, self.interval.start + MICROSECOND)
        return pivoted(self.ledger_bucket, instant, LOOK_MEASUREMENT, is_any("watch", [self.watch]))

    def read(self, rows: Sequence[Row]) -> SourceLook | None:
        return decode_look(rows, self.interval)
