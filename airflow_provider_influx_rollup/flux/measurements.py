"""The measurements of a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.windows.all_time import EVER

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class MeasurementNames(RowsQuery[list[str]]):
    """Each measurement that has points, in order, from the index; a narrower range would find the same ones."""

    bucket: str

    def flux(self) -> str:
        return (
            f"from(bucket: {literals.string(self.bucket)})\n"
            f"  |> range(start: {literals.time(EVER.start)}, stop: {literals.time(EVER.stop)})\n"
            '  |> keep(columns: ["_measurement"])\n'
            "  |> group()\n"
            '  |> distinct(column: "_measurement")'
        )

    def read(self, rows: Sequence[Row]) -> list[str]:
        return sorted(row["_value"] for row in rows)
