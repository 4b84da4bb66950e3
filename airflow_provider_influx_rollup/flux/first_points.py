"""The first point of each measurement of a bucket in an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class FirstPoints(RowsQuery[dict[str, datetime]]):
    """The time of the first point of each measurement; measurements without points are left out."""

    bucket: str
    interval: Interval

    def flux(self) -> str:
        # first() of a whole range is pushed down; values of several types have no table in common
        return (
            f"from(bucket: {literals.string(self.bucket)})\n"
            f"  |> range(start: {literals.time(self.interval.start)}, stop: {literals.time(self.interval.stop)})\n"
            "  |> first()\n"
            '  |> keep(columns: ["_measurement", "_time"])\n'
            '  |> group(columns: ["_measurement"])\n'
            '  |> min(column: "_time")'
        )

    def read(self, rows: Sequence[Row]) -> dict[str, datetime]:
        return {row["_measurement"]: row["_time"] for row in rows}
