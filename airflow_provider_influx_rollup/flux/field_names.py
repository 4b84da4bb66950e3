"""The fields of a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.windows.all_time import EVER

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class FieldNames(RowsQuery[list[str]]):
    """Each field that the measurement has points of, of any time and series, in order, from the index."""

    bucket: str
    measurement: str

    def flux(self) -> str:
        source = render_source(RollupSource(self.bucket, self.measurement, {}), EVER)
        return f'{source}\n  |> keep(columns: ["_field"])\n  |> group()\n  |> distinct(column: "_field")'

    def read(self, rows: Sequence[Row]) -> list[str]:
        return sorted(row["_value"] for row in rows)
