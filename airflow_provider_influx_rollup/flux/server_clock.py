"""A query that asks the server for its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.query import RowsQuery

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row


@dataclass(frozen=True, slots=True)
class ServerClock(RowsQuery[datetime]):
    """The server's time; ``now()`` would be the time of the request."""

    def flux(self) -> str:
        return 'import "array"\nimport "system"\n\narray.from(rows: [{_value: system.time()}])'

    def read(self, rows: Sequence[Row]) -> datetime:
        time: datetime = rows[0]["_value"]
        return time
