"""Points of each series in each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.inventory import SeriesSource, source_chain
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.series import Series, series_of

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row
    from airflow_provider_influx_rollup.windows.equal_runs import EqualRun


@dataclass(frozen=True, slots=True)
class SeriesCount:
    """Points of one field of a series in the window that starts at a time; each series key has a count of its own."""

    start: datetime
    series: Series
    field: str
    points: int


@dataclass(frozen=True, slots=True)
class SeriesCounts(RowsQuery[list[SeriesCount]]):
    """The points of each series and field in each window with points."""

    source: SeriesSource
    run: EqualRun

    @property
    def keeps_bytes(self) -> bool:
        return True

    def flux(self) -> str:
        run = self.run
        return (
            f"{source_chain(self.source, run.interval)}\n"
            f"  |> aggregateWindow(every: {run.every_ns}ns, offset: {run.offset_ns}ns, fn: count, "
            'createEmpty: false, timeSrc: "_start")\n'
            '  |> drop(columns: ["_start", "_stop", "_measurement"])\n'
            "  |> group()"
        )

    def read(self, rows: Sequence[Row]) -> list[SeriesCount]:
        return [SeriesCount(row["_time"], series_of(row), row["_field"], int(row["_value"])) for row in rows]
