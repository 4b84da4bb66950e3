"""A value of each field of a measurement, which tells what kind of values it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import measurement_filter
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.windows.all_time import EVER

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class FieldSamples(RowsQuery[dict[str, Any]]):
    """The last value of one series of each field."""

    bucket: str
    measurement: str

    def flux(self) -> str:
        return (
            f"from(bucket: {literals.string(self.bucket)})\n"
            f"  |> range(start: {literals.time(EVER.start)}, stop: {literals.time(EVER.stop)})\n"
            f"  {measurement_filter(self.measurement).strip()}\n"
            "  |> last()\n"
            '  |> keep(columns: ["_field", "_value"])\n'
            "  |> limit(n: 1)"
        )

    def read(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {row["_field"]: row["_value"] for row in rows}
