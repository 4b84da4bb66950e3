"""Count the points that a pipeline of a user's script reads in a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.whole_range import render_aggregate
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class PointsRead(RowsQuery[int]):
    """The number of points, counted in the storage engine.

    :param filters: the script's own calls of ``filter()``, which read no name but their own
    """

    bucket: str
    interval: Interval
    filters: Sequence[str]

    def flux(self) -> str:
        span = f"start: {literals.time(self.interval.start)}, stop: {literals.time(self.interval.stop)}"
        stages = [f"from(bucket: {literals.string(self.bucket)})", f"  |> range({span})"]
        stages += [f"  |> {one}" for one in self.filters]
        return "\n".join([*stages, render_aggregate(self.interval, "count"), "  |> group()", "  |> sum()"])

    def read(self, rows: Sequence[Row]) -> int:
        return sum(row["_value"] for row in rows)
