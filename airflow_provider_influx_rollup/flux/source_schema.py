"""Queries over the schema of a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

#: tag keys that the server lists for every source; a tag of such a name comes a second time
OF_EVERY_SOURCE = ("_start", "_stop", "_field", "_measurement")
ALL_TYPES = ("boolean", "float", "integer", "string", "unsigned")


@dataclass(frozen=True, slots=True)
class TagKeys(RowsQuery[list[str]]):
    """Each tag key, from the index; InfluxDB's own columns such as ``_field`` are among them."""

    source: RollupSource
    interval: Interval
    result = "tags"

    def flux(self) -> str:
        return tag_keys_text(self.source, self.interval)

    def read(self, rows: Sequence[Row]) -> list[str]:
        return [row["_value"] for row in rows]


def tag_keys_text(source: RollupSource, interval: Interval) -> str:
    """The Flux of ``TagKeys``, which other queries begin with."""
    return (
        f'{render_source(source, interval)}\n  |> keys()\n  |> keep(columns: ["_value"])\n'
        '  |> distinct(column: "_value")'
    )


@dataclass(frozen=True, slots=True)
class KeysOfMeasurement(RowsQuery[tuple[list[str], list[str]]]):
    """All tag keys and field names of a measurement, from the index."""

    bucket: str
    measurement: str

    def flux(self) -> str:
        source = RollupSource(self.bucket, self.measurement, {})
        return (
            f'{tag_keys_text(source, EVER)}\n  |> yield(name: "tags")\n\n'
            f'{render_source(source, EVER)}\n  |> keep(columns: ["_field"])\n  |> group()\n'
            '  |> distinct(column: "_field")\n  |> yield(name: "fields")'
        )

    def read(self, rows: Sequence[Row]) -> tuple[list[str], list[str]]:
        tags = [row["_value"] for row in rows if row.yield_name == "tags"]
        return tags, [row["_value"] for row in rows if row.yield_name == "fields"]
