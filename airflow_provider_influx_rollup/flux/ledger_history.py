"""Queries over a whole ledger: narrow reads of receipts and of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.ledger_rows import (
    IS_WRITING,
    PIVOT,
    UNBOUNDED,
    chain,
    is_any,
    is_of,
    pivoted,
    records_of,
)
from airflow_provider_influx_rollup.flux.query import LedgerQuery
from airflow_provider_influx_rollup.ledger.codec import (
    CLAIM_FIELDS,
    EVENT_MEASUREMENT,
    MERGED_FROM,
    RECEIPT_MEASUREMENT,
    decode_receipts,
    state_of,
)
from airflow_provider_influx_rollup.ledger.planned import PLAN, with_plan
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns, to_ns

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedWindow:
    """The part of a receipt that coverage needs.

    :param merged_from: of a tier, see ``Receipt``
    """

    window: Interval
    state: State
    spec_hash: str
    rows_in: int
    rows_out: int
    written_at: datetime
    merged_from: str | None = None


@dataclass(frozen=True, slots=True)
class CoveredWindows(LedgerQuery[list[CommittedWindow]]):
    """The parts that coverage needs of the receipts whose windows start in an interval."""

    ledger_bucket: str
    pipeline: str
    stage: str
    interval: Interval

    def flux(self) -> str:
        numbers = ("stop_ns", "rows_in", "rows_out", "written_at_ns")
        names = ("state", PLAN, "spec_hash", MERGED_FROM, *numbers, *CLAIM_FIELDS)
        chosen = is_of(self.pipeline, self.stage), is_any("_field", names)
        return pivoted(self.ledger_bucket, self.interval, RECEIPT_MEASUREMENT, *chosen)

    def read(self, rows: Sequence[Row]) -> list[CommittedWindow]:
        return [
            CommittedWindow(
                window=Interval(row["_time"], from_ns(row["stop_ns"])),
                state=state_of(row),
                spec_hash=row.get("spec_hash") or "",
                rows_in=row.get("rows_in") or 0,
                rows_out=row.get("rows_out") or 0,
                written_at=from_ns(row["written_at_ns"]),
                merged_from=row.get(MERGED_FROM),
            )
            for row in map(with_plan, rows)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEvent:
    """A change of a window's state, with what its block took.

    :param who: the same for all windows of a block: pipeline, run, task, try, and the seconds, which no two take alike
    """

    written_at: datetime
    state: State
    rows_in: int
    rows_out: int
    seconds: float
    who: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEvents(LedgerQuery[list[BlockEvent]]):
    """The newest events that were written in an interval, with what a block of windows took.

    :param written: by the clock of the workers
    :param pipeline: None takes all pipelines
    :param most_events: of each pipeline
    """

    ledger_bucket: str
    stage: str
    written: Interval
    pipeline: str | None
    most_events: int

    def flux(self) -> str:
        names = ("state", "rows_in", "rows_out", "seconds", "run_id", "task_id", "try_number", "spec_hash")
        mine = is_any("stage", [self.stage]) if self.pipeline is None else is_of(self.pipeline, self.stage)
        chosen = mine, is_any("_field", names)
        return chain(
            *records_of(self.ledger_bucket, self.written, EVENT_MEASUREMENT, *chosen),
            f"|> tail(n: {self.most_events})",
            UNBOUNDED,
            PIVOT,
        )

    def read(self, rows: Sequence[Row]) -> list[BlockEvent]:
        names = ("pipeline", "run_id", "task_id", "try_number", "seconds")
        return [
            BlockEvent(
                written_at=row["_time"],
                state=State(row["state"]),
                rows_in=row["rows_in"],
                rows_out=row["rows_out"],
                seconds=row["seconds"],
                who=tuple(row.get(name) for name in names),
            )
            for row in rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowEvents(LedgerQuery[list[Receipt]]):
    """The history of the windows that start in an interval, one receipt per change.

    :param written: by the clock of the workers
    :param windows: in which the windows start
    """

    ledger_bucket: str
    pipeline: str
    stage: str
    written: Interval
    windows: Interval

    def flux(self) -> str:
        events = pivoted(
            self.ledger_bucket, self.written, EVENT_MEASUREMENT, is_of(self.pipeline, self.stage)
        )
        start_ns, stop_ns = self.windows.start_ns, self.windows.stop_ns
        inside = f"r.window_start_ns >= {start_ns} and r.window_start_ns < {stop_ns}"
        return f"{events}\n  |> filter(fn: (r) => {inside})"

    def read(self, rows: Sequence[Row]) -> list[Receipt]:
        return decode_receipts(
            {**row, "_time": from_ns(row["window_start_ns"]), "written_at_ns": to_ns(row["_time"])}
            for row in rows
        )


@dataclass(frozen=True, slots=True)
class WrittenSpecs(LedgerQuery[set[tuple[str, str, int]]]):
    """The specs under which pipelines have begun to write windows: pipeline, hash of the spec, start of the window in nanoseconds.

    :param starts: of the windows
    """

    ledger_bucket: str
    pipelines: Sequence[str]
    stage: str
    starts: Interval

    def flux(self) -> str:
        names = is_any("_field", ("state", "spec_hash", "window_start_ns"))
        chosen = is_any("stage", [self.stage]), is_any("pipeline", self.pipelines), names
        events = pivoted(self.ledger_bucket, EVER, EVENT_MEASUREMENT, *chosen)
        inside = f"r.window_start_ns >= {self.starts.start_ns} and r.window_start_ns < {self.starts.stop_ns}"
        return f"{events}\n  |> filter(fn: (r) => {inside})"

    def read(self, rows: Sequence[Row]) -> set[tuple[str, str, int]]:
        return {
            (row["pipeline"], row["spec_hash"], row["window_start_ns"])
            for row in rows
            if row.get("spec_hash") and row.get("state") not in (None, State.PLANNED)
        }


@dataclass(frozen=True, slots=True)
class UnfinishedReceipts(LedgerQuery[list[tuple[str, datetime]]]):
    """The receipts that are WRITING, whose windows start in an interval: pipeline, and since when."""

    ledger_bucket: str
    starts: Interval

    def flux(self) -> str:
        names = is_any("_field", ("state", "written_at_ns", "stop_ns", *CLAIM_FIELDS))
        receipts = pivoted(self.ledger_bucket, self.starts, RECEIPT_MEASUREMENT, names)
        return chain(receipts, IS_WRITING)

    def read(self, rows: Sequence[Row]) -> list[tuple[str, datetime]]:
        return [(row["pipeline"], from_ns(row["written_at_ns"])) for row in rows]


@dataclass(frozen=True, slots=True)
class SpecCount:
    """Number of receipts that a pipeline has of a spec."""

    pipeline: str
    spec_hash: str
    receipts: int


@dataclass(frozen=True, slots=True)
class SpecCounts(LedgerQuery[list[SpecCount]]):
    """Number of receipts of each pipeline and spec whose windows start in an interval."""

    ledger_bucket: str
    starts: Interval

    def flux(self) -> str:
        field = is_any("_field", ["spec_hash"])
        return chain(
            *records_of(self.ledger_bucket, self.starts, RECEIPT_MEASUREMENT, field),
            '|> duplicate(column: "_value", as: "spec_hash")',
            '|> group(columns: ["pipeline", "stage", "spec_hash"])',
            "|> count()",
        )

    def read(self, rows: Sequence[Row]) -> list[SpecCount]:
        return [SpecCount(row["pipeline"], row["spec_hash"], row["_value"]) for row in rows]
