"""Queries whose answer is points, as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.aggregates.frame import Frame, frames_from_tables
from airflow_provider_influx_rollup.flux.query import ArrowQuery

if TYPE_CHECKING:
    import pyarrow as pa


class FramesQuery(ArrowQuery[list[Frame]]):
    """A query with an answer of any size, which is read as frames; those without points are left out."""

    __slots__ = ()

    def read(self, tables: list[pa.Table]) -> list[Frame]:
        return frames_from_tables(tables)
