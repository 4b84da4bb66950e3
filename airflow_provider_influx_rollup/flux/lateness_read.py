"""Queries of a lateness report: the records of late points, first commits, points of each window and tag group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.ledger_rows import (
    UNBOUNDED,
    chain,
    is_any,
    is_of,
    pivoted,
    records_of,
)
from airflow_provider_influx_rollup.flux.query import LedgerQuery, RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.ledger.codec import EVENT_MEASUREMENT
from airflow_provider_influx_rollup.ledger.lateness import (
    CHECK_MEASUREMENT,
    LATENESS_MEASUREMENT,
    CleanCheck,
    LateArrival,
    decode_checks,
    decode_lateness,
)
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class LateArrivals(LedgerQuery[list[LateArrival]]):
    """Records of late points in windows that start in an interval, one for each repair of a window."""

    ledger_bucket: str
    pipeline: str
    interval: Interval

    def flux(self) -> str:
        mine = is_any("pipeline", [self.pipeline])
        return pivoted(self.ledger_bucket, self.interval, LATENESS_MEASUREMENT, mine)

    def read(self, rows: Sequence[Row]) -> list[LateArrival]:
        return decode_lateness(rows)


@dataclass(frozen=True, slots=True)
class CleanChecks(LedgerQuery[list[CleanCheck]]):
    """Looks that found windows right, the last one first.

    :param looked: when, by the clock of the workers
    """

    ledger_bucket: str
    pipeline: str
    looked: Interval

    def flux(self) -> str:
        mine = is_any("pipeline", [self.pipeline])
        return chain(*records_of(self.ledger_bucket, self.looked, CHECK_MEASUREMENT, mine), UNBOUNDED)

    def read(self, rows: Sequence[Row]) -> list[CleanCheck]:
        return decode_checks(rows)


@dataclass(frozen=True, slots=True)
class FirstCommits(RowsQuery[dict[int, datetime]]):
    """Time of each window's first commit, by the window's start in nanoseconds: its event of the first generation.

    :param written: by the clock of the workers
    """

    ledger_bucket: str
    pipeline: str
    stage: str
    written: Interval

    def flux(self) -> str:
        chosen = is_of(self.pipeline, self.stage), is_any("_field", ["generation", "window_start_ns"])
        events = pivoted(self.ledger_bucket, self.written, EVENT_MEASUREMENT, *chosen)
        return chain(events, "|> filter(fn: (r) => r.generation == 1)")

    def read(self, rows: Sequence[Row]) -> dict[int, datetime]:
        firsts: dict[int, datetime] = {}
        for row in rows:
            start, instant = row["window_start_ns"], row["_time"]
            firsts[start] = min(instant, firsts.get(start, instant))
        return firsts


@dataclass(frozen=True, slots=True)
class GroupCount:
    """Points of one field, window and group of tags.

    :param tags: the values of the tag keys that were asked for; None where there is none
    """

    field: str
    start: datetime
    tags: Mapping[str, str | None]
    points: int


@dataclass(frozen=True, slots=True)
class GroupCounts(RowsQuery[list[GroupCount]]):
    """Points of each field, window and group of tags."""

    source: RollupSource
    runs: Sequence[EqualRun]
    tag_keys: Sequence[str]

    def flux(self) -> str:
        columns = ", ".join(literals.string(name) for name in (*self.tag_keys, "_field", "_time"))
        return "\n\n".join(
            f"{render_source(self.source, run.interval)}\n"
            f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, "
            'fn: count, createEmpty: false, timeSrc: "_start")\n'
            f"  |> group(columns: [{columns}])\n"
            "  |> sum()\n"
            "  |> group()\n"
            f'  |> yield(name: "{index}")'
            for index, run in enumerate(self.runs)
        )

    def read(self, rows: Sequence[Row]) -> list[GroupCount]:
        return [
            GroupCount(
                row["_field"], row["_time"], {key: row.get(key) for key in self.tag_keys}, row["_value"]
            )
            for row in rows
        ]
